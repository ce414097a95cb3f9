#include "checkpoint/checkpoint.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>

#include "base/error.h"
#include "checkpoint/manifest.h"
#include "io/files.h"
#include "io/json.h"
#include "scratch.h"

using namespace cellmill;
using namespace cellmill::checkpoint;

namespace {

void check_same(const State& a, const State& b) {
  CATCH_REQUIRE(a.tensors.size() == b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    CATCH_CAPTURE(name);
    CATCH_REQUIRE(b.tensors.count(name) == 1);
    CATCH_CHECK(b.tensors.at(name).scalar_type() == tensor.scalar_type());
    CATCH_CHECK(at::equal(b.tensors.at(name), tensor));
  }
  CATCH_CHECK(a.texts == b.texts);
  CATCH_CHECK(a.numbers == b.numbers);
  CATCH_CHECK(a.reals == b.reals);
  CATCH_CHECK(a.lists == b.lists);
}

void rewrite_manifest(const fs::path& checkpoint, const std::string& from, const std::string& to) {
  std::string text = io::read_text(checkpoint / kManifestFile);
  const std::size_t at = text.find(from);
  CATCH_REQUIRE(at != std::string::npos);
  std::ofstream(checkpoint / kManifestFile) << text.replace(at, from.size(), to);
}

}  // namespace

CATCH_TEST_CASE("what was saved is loaded, to the bit", "[checkpoint]") {
  Scratch scratch;
  State state = sample(7);
  state.tensors["special"] = at::tensor({std::nan(""), -0.0, INFINITY, 1e-310}, at::kDouble);
  const fs::path path = save(scratch.folder / "checkpoints", 123, state);
  CATCH_CHECK(path == scratch.folder / "checkpoints" / "step-000000123");
  State loaded = load(path);
  CATCH_CHECK(at::equal(loaded.tensors["special"].view(at::kLong),
                        state.tensors["special"].view(at::kLong)));
  state.tensors.erase("special");
  loaded.tensors.erase("special");
  check_same(state, loaded);
  verify(path);
}

CATCH_TEST_CASE("a loaded tensor outlives the state and may be written", "[checkpoint]") {
  Scratch scratch;
  const fs::path path = save(scratch.folder, 1, sample(3));
  at::Tensor bias = load(path).tensors.at("model/bias.0");
  bias.add_(1);
  CATCH_CHECK(bias[0].item<double>() == 4);
}

CATCH_TEST_CASE("a second save of a step takes the place of the first", "[checkpoint]") {
  Scratch scratch;
  save(scratch.folder, 5, sample(1));
  check_same(load(save(scratch.folder, 5, sample(2))), sample(2));
  CATCH_CHECK(std::distance(fs::directory_iterator(scratch.folder), {}) == 1);
}

CATCH_TEST_CASE("list, newest and prune", "[checkpoint]") {
  Scratch scratch;
  CATCH_CHECK(list(scratch.folder / "not there").empty());
  for (const std::int64_t step : {40, 10, 30, 20}) save(scratch.folder, step, sample(step));
  fs::create_directory(scratch.folder / "step-000000050");  // no manifest
  fs::create_directory(scratch.folder / ".unfinished-host-1-0");
  fs::create_directory(scratch.folder / "step-60b");
  const auto steps = [&] {
    std::vector<std::int64_t> all;
    for (const Entry& e : list(scratch.folder)) all.push_back(e.step);
    return all;
  };
  CATCH_CHECK(steps() == std::vector<std::int64_t>{10, 20, 30, 40});

  std::vector<std::string> passed_over;
  CATCH_CHECK(newest_valid(scratch.folder, passed_over)->step == 40);
  CATCH_REQUIRE(passed_over.size() == 1);
  CATCH_CHECK(passed_over[0] == (scratch.folder / "step-000000050").string() +
                                    ": is no whole checkpoint; expected manifest.json in it; "
                                    "found none");

  fs::rename(scratch.folder / "step-000000010", scratch.folder / "step-000000090");
  passed_over.clear();
  CATCH_CHECK(newest_valid(scratch.folder, passed_over)->step == 40);
  CATCH_CHECK_THAT(passed_over.at(0), Catch::EndsWith(": its manifest is of step 10"));
  fs::rename(scratch.folder / "step-000000090", scratch.folder / "step-000000010");

  prune(scratch.folder, 40, {.steps = {20}});
  CATCH_CHECK(steps() == std::vector<std::int64_t>{20, 40});
  CATCH_CHECK(!fs::exists(scratch.folder / ".unfinished-host-1-0"));
  CATCH_CHECK(fs::exists(scratch.folder / "step-60b"));
  prune(scratch.folder, 40, {.last = 0});
  CATCH_CHECK(steps() == std::vector<std::int64_t>{40});
}

CATCH_TEST_CASE("what was just saved is kept, however many later ones are damaged",
                "[checkpoint]") {
  Scratch scratch;
  for (const std::int64_t step : {0, 3, 6, 7, 9, 12}) save(scratch.folder, step, sample(1));
  const auto steps = [&] {
    std::vector<std::int64_t> all;
    for (const Entry& e : list(scratch.folder)) all.push_back(e.step);
    return all;
  };
  prune(scratch.folder, 7, {.last = 1});
  CATCH_CHECK(steps() == std::vector<std::int64_t>{7, 9, 12});
  save(scratch.folder, 10, sample(1));
  prune(scratch.folder, 12, {.last = 1, .every = 5});
  CATCH_CHECK(steps() == std::vector<std::int64_t>{10, 12});
}

CATCH_TEST_CASE("nothing valid: none, and every reason", "[checkpoint]") {
  Scratch scratch;
  for (const std::int64_t step : {1, 2}) {
    save(scratch.folder, step, sample(1));
    fs::resize_file(scratch.folder / ("step-00000000" + std::to_string(step)) / kStateFile, 100);
  }
  std::vector<std::string> passed_over;
  CATCH_CHECK(!newest_valid(scratch.folder, passed_over));
  CATCH_CHECK(passed_over.size() == 2);
}

CATCH_TEST_CASE("formats other than ours are refused in words", "[checkpoint]") {
  Scratch scratch;
  const fs::path path = save(scratch.folder, 1, sample(1));
  rewrite_manifest(path, "\"format\": 1", "\"format\": 2");
  CATCH_CHECK_THROWS_WITH(load(path), (path / kManifestFile).string() +
                                          ": format: was written by a newer cellmill; expected 1; "
                                          "found 2");
  rewrite_manifest(path, "\"format\": 2", "\"format\": 0");
  CATCH_CHECK_THROWS_WITH(load(path), Catch::Contains("is of no known format"));
}

CATCH_TEST_CASE("what is not there, or not whole, says so", "[checkpoint]") {
  Scratch scratch;
  try {
    load(scratch.folder / "step-000000001");
    CATCH_FAIL("loaded");
  } catch (const DataError& e) {
    CATCH_CHECK(e.code() == Exit::kNoInput);
    CATCH_CHECK_THAT(e.what(), Catch::EndsWith("step-000000001: is no checkpoint: no such folder"));
  }
  const fs::path path = save(scratch.folder, 1, sample(1));
  fs::remove(path / kStateFile);
  CATCH_CHECK_THROWS_WITH(verify(path), (path / kStateFile).string() + ": is missing");
}

CATCH_TEST_CASE("a tensor of other values than the manifest's is named", "[checkpoint]") {
  Scratch scratch;
  const fs::path path = save(scratch.folder, 1, sample(1));
  // a manifest that is whole in itself and fits the file, but for one tensor
  Manifest manifest = read_manifest(path);
  manifest.tensors["count"].digest = "0123456789abcdef";
  std::ofstream(path / kManifestFile) << manifest_text(manifest);
  CATCH_CHECK_THROWS_WITH(
      load(path), Catch::StartsWith((path / kStateFile).string() +
                                    ": /tensors/count: is not the tensor that was saved; expected "
                                    "int64 [5] with digest 0123456789abcdef; found int64 [5]"));
  manifest = read_manifest(path);
  manifest.tensors.erase("count");
  std::ofstream(path / kManifestFile) << manifest_text(manifest);
  CATCH_CHECK_THROWS_WITH(load(path), Catch::EndsWith("/tensors/count: is not in the manifest"));
}

CATCH_TEST_CASE("what the file cannot hold is refused before anything is written", "[checkpoint]") {
  Scratch scratch;
  State half;
  half.tensors["h"] = at::zeros({2}, at::kHalf);
  CATCH_CHECK_THROWS_WITH(save(scratch.folder, 1, half), "checkpoint: tensor h is CPUHalfType");
  for (const std::string name : {"", "a//b", "/a", "a/", "../a", "."}) {
    State named;
    named.numbers[name] = 1;
    CATCH_CHECK_THROWS_WITH(save(scratch.folder, 1, named),
                            "checkpoint: no name for one of numbers: \"" + name + "\"");
  }
  State both;
  both.reals = {{"a", 1}, {"a/b", 2}};
  CATCH_CHECK_THROWS_WITH(save(scratch.folder, 1, both),
                          "checkpoint: reals: \"a\" is a name and a group");
  State zero;
  zero.texts["t"] = std::string("a\0b", 3);
  CATCH_CHECK_THROWS_WITH(save(scratch.folder, 1, zero), "checkpoint: a zero byte in the text t");
  CATCH_CHECK(fs::is_empty(scratch.folder));
}
