#include "train/run_folder.h"

#include <catch2/catch.hpp>

#include "../expect.h"
#include "config/show.h"
#include "io/files.h"
#include "io/sealed.h"
#include "train/run_options.h"

using namespace cellmill;
using Catch::Contains;
using train::RunFolder;
namespace fs = std::filesystem;

namespace {

std::string settings(const std::function<void(train::RunOptions&)>& change = [](auto&) {}) {
  train::RunOptions options;
  change(options);
  return config::dump(options);
}

/// "CODE TEXT" of the error, or "no error".
std::string opening(const fs::path& path, const std::string& text, bool resume) {
  try {
    const RunFolder folder(path, text, resume);
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.code())) + " " + error.text();
  }
  return "no error";
}

}  // namespace

CATCH_TEST_CASE("a new run makes its folders and says how it is configured", "[run folder]") {
  const Scratch scratch;
  const fs::path path = scratch.folder / "a" / "run";
  {
    const RunFolder folder(path, settings(), false);
    CATCH_CHECK_FALSE(folder.existed());
    CATCH_CHECK(folder.path() == path);
    CATCH_CHECK(fs::is_directory(train::checkpoints_of(path)));
    CATCH_CHECK(fs::is_directory(path / "log"));
    CATCH_CHECK(io::read_text(path / "config.yaml") == io::sealed_text(settings()));
    CATCH_CHECK(opening(path, settings(), true) ==
                "64 " + path.string() +
                    " is in use by another process\n  hint: wait for it, or name another "
                    "output.folder");
  }
  const RunFolder again(path, settings(), true);
  CATCH_CHECK(again.existed());
}

CATCH_TEST_CASE("a folder that holds a run is not written over", "[run folder]") {
  const Scratch scratch;
  const fs::path path = scratch.folder / "run";
  CATCH_CHECK(opening(path, settings(), false) == "no error");
  CATCH_CHECK(opening(path, settings(), false) ==
              "64 " + path.string() +
                  " already holds a run\n  hint: --resume continues it; or name another "
                  "output.folder");
}

CATCH_TEST_CASE("a folder of something else is left alone", "[run folder]") {
  const Scratch scratch;
  io::write_text_atomically(scratch / "thesis.tex", "x");
  for (const bool resume : {false, true}) {
    CATCH_CHECK(opening(scratch.folder, settings(), resume) ==
                "64 " + scratch.folder.string() +
                    " is not empty and holds no run\n  hint: name another output.folder");
  }
  CATCH_CHECK(std::distance(fs::directory_iterator(scratch.folder), {}) == 1);
}

CATCH_TEST_CASE("a run goes on only with its configuration", "[run folder]") {
  const Scratch scratch;
  const fs::path path = scratch.folder / "run";
  CATCH_CHECK(opening(path, settings(), false) == "no error");
  CATCH_CHECK(opening(path, settings([](auto& o) {
                        o.train.seed = 9;
                        o.model.cycle_autoencoder.latent = 32;
                        o.train.epochs = 2;
                      }),
                      true) == "64 " + path.string() +
                                   " belongs to another configuration:"
                                   "\n    model.cycle_autoencoder.latent: there 64, here 32"
                                   "\n    train.seed: there 0, here 9"
                                   "\n  hint: resume with the settings of its config.yaml, or name "
                                   "another output.folder");
  CATCH_CHECK_THAT(opening(path, settings([](auto& o) { o.data.loader.order = "chunk"; }), true),
                   Contains("data.loader.order: there mixed, here chunk"));
  CATCH_CHECK(io::read_text(path / "config.yaml") == io::sealed_text(settings()));
}

CATCH_TEST_CASE("what does not make another run may change, and is noted", "[run folder]") {
  const Scratch scratch;
  const fs::path path = scratch.folder / "run";
  CATCH_CHECK(opening(path, settings(), false) == "no error");
  const auto changed = settings([](auto& o) {
    o.train.epochs = 80;
    o.checkpoint.keep_last = 9;
    o.data.source.path = "elsewhere";
    o.data.loader.threads = 4;
    o.evaluation.patience = 2;
  });
  CATCH_CHECK(opening(path, changed, true) == "no error");
  CATCH_CHECK(io::read_text(path / "config.yaml") == io::sealed_text(changed));
}

CATCH_TEST_CASE("a setting that is newer than the run had its default", "[run folder]") {
  const Scratch scratch;
  const fs::path path = scratch.folder / "run";
  CATCH_CHECK(opening(path, settings(), false) == "no error");
  auto older = settings();
  const auto line = older.find("  deterministic: same_world_size\n");
  CATCH_REQUIRE(line != std::string::npos);
  older.erase(line, older.find('\n', line) + 1 - line);
  io::write_text_atomically(path / "config.yaml", io::sealed_text(older));
  CATCH_CHECK_THAT(
      opening(path, settings([](auto& o) { o.train.deterministic = "across_world_sizes"; }), true),
      Contains("train.deterministic: there (absent), here across_world_sizes"));
  CATCH_CHECK(opening(path, settings(), true) == "no error");
}
