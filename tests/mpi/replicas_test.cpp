// A bit that turns on one rank is found, named and undone.
#include "train/replicas.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "checkpoint/checkpoint.h"
#include "config/show.h"
#include "io/files.h"
#include "io/json.h"
#include "models/cycle_autoencoder.h"
#include "test_world.h"
#include "train/step.h"
#include "train/trainer.h"

using namespace cellmill;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

comm::Communicator& host() { return *test_world().host_world; }

/// Turns one bit of the value's middle element.
void turn_bit(const at::Tensor& value) {
  auto* words = static_cast<std::uint32_t*>(value.mutable_data_ptr());
  words[value.numel() / 2] ^= 1U << 20;
}

/// The folder of a test, seen by all ranks.
struct SharedFolder {
  fs::path path;
  SharedFolder() {
    path = host().broadcast_text(
        (fs::temp_directory_path() / "cellmill-replicas-").string() + std::to_string(::getpid()),
        0);
    if (host().rank() == 0) fs::create_directories(path);
    host().barrier();
  }
  ~SharedFolder() {
    if (host().rank() == 0) fs::remove_all(path);
  }
};

train::RunOptions run_in(const fs::path& folder) {
  train::RunOptions o;
  o.data.source.format = "synthetic";
  o.data.source.synthetic_cells = 300;
  o.data.source.synthetic_genes = 30;
  o.data.source.chunk_cells = 50;
  o.model.cycle_autoencoder.latent = 4;
  o.model.cycle_autoencoder.classifier_hidden = {8};
  o.train.global_batch = 32;
  o.train.max_steps = 15;
  o.train.device = "cpu";
  o.checkpoint.every_steps = 4;
  o.replicas.compare_every_steps = 3;
  o.output.folder = folder;
  o.output.log_every_steps = 1;
  return o;
}

Exit run(const train::RunOptions& options, const train::Interfere& interfere = {}) {
  return train::train(test_world(), options, config::dump(options), train::Start::kFresh,
                      interfere);
}

/// Turns a bit of rank `who` after the given steps, once each.
train::Interfere turning(int who, std::vector<std::int64_t> after, int group = 0) {
  return
      [=, done = std::vector<bool>(after.size())](std::int64_t step, models::Model& model) mutable {
        for (std::size_t k = 0; k < after.size(); ++k) {
          if (after[k] != step || done[k]) continue;
          done[k] = true;
          if (host().rank() == who)
            turn_bit(model.groups().at(static_cast<std::size_t>(group)).parameters.front().value);
        }
      };
}

/// metrics.jsonl without what is measured.
std::vector<std::string> points(const fs::path& run) {
  std::ifstream file(run / "metrics.jsonl");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    auto json = io::Json::parse(line);
    auto kept = io::Json::object();
    for (const auto& [key, value] : json.items())
      if (!key.starts_with("goodput_") && !key.ends_with("_seconds") && !key.starts_with("xxh3") &&
          key != "cells_per_second")
        kept[key] = value;
    lines.push_back(kept.dump());
  }
  return lines;
}

std::string error_of(const train::RunOptions& options, const train::Interfere& interfere) {
  try {
    run(options, interfere);
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.code())) + " " + error.text();
  }
  return "no error";
}

/// How the text names the rank that is wrong, if a majority says so.
std::string named(int rank) {
  const auto& world = test_world();
  if (world.size > 2) return "rank " + std::to_string(rank) + " on " + world.host + " differs";
  return "rank 0 on " + world.host + ", rank 1 on " + world.host +
         " differ, and no majority says which is right";
}

}  // namespace

CATCH_TEST_CASE("one bit of a parameter, a moment or a buffer names its rank", "[replicas]") {
  const data::Vocabulary vocabulary{{{"type", {"a", "b"}}}, {"G1", "G2", "G3"}};
  models::CycleAutoencoderOptions options;
  options.latent = 3;
  options.classifier_hidden = {4};
  options.loss.match = 1;
  options.loss.match_fields = {"type"};
  models::CycleAutoencoder model(options, vocabulary, 3, at::kFloat);
  train::Stepper stepper(model, host(), 3, {});
  const auto compare = [&] {
    return train::compare_replicas(host(), test_world().host, model, stepper.optimisers());
  };
  CATCH_CHECK_FALSE(compare());
  if (host().size() == 1) return;
  const auto& classifier = stepper.optimisers().at(1);
  const std::vector<std::pair<std::string, at::Tensor>> places = {
      {"base.weight", model.groups().at(0).parameters.at(0).value.detach()},
      {classifier.replica().at(1).first, classifier.replica().at(1).second},
      {"populations.means", model.buffers().at(0).second}};
  for (int rank = 0; rank < host().size(); ++rank)
    for (const auto& [name, value] : places) {
      CATCH_CAPTURE(rank, name);
      if (host().rank() == rank) turn_bit(value);
      const auto found = compare();
      CATCH_REQUIRE(found);
      CATCH_CHECK_THAT(found->text, Contains(named(rank)) && Contains(name));
      CATCH_CHECK(found->ranks ==
                  (host().size() > 2 ? std::vector<int>{rank} : std::vector<int>{0, 1}));
      if (host().rank() == rank) turn_bit(value);
      CATCH_CHECK_FALSE(compare());
    }
}

CATCH_TEST_CASE("the run goes back to the last checkpoint and ends as if nothing had been",
                "[replicas]") {
  const SharedFolder folder;
  const auto last = host().size() - 1;
  const auto whole = run_in(folder.path / "whole"), hit = run_in(folder.path / "hit");
  CATCH_CHECK(run(whole) == Exit::kDone);
  if (host().size() == 1) return;
  // 5: found at 6; 10: found before the checkpoint of step 12 is written
  CATCH_CHECK(run(hit, turning(last, {5, 10}, 1)) == Exit::kDone);
  host().barrier();
  const auto log =
      io::read_text(folder.path / "hit/log" / ("rank-" + std::to_string(host().rank()) + ".log"));
  for (const auto* text :
       {"the ranks' models differ after step 6: ", "going back",
        "the ranks' models differ after step 12: ", "step 4, epoch", "step 9, epoch"})
    CATCH_CHECK_THAT(log, Contains(text));
  CATCH_CHECK_THAT(log, Contains(named(last)) && Contains(" in classifier."));
  CATCH_CHECK(points(folder.path / "hit") == points(folder.path / "whole"));
  const auto name = "checkpoints/step-000000015";
  const auto a = checkpoint::load(folder.path / "hit" / name),
             b = checkpoint::load(folder.path / "whole" / name);
  CATCH_CHECK(a.numbers == b.numbers);
  CATCH_CHECK(a.reals == b.reals);
  CATCH_REQUIRE(a.tensors.size() == b.tensors.size());
  for (const auto& [tensor, value] : b.tensors) {
    CATCH_INFO(tensor);
    CATCH_CHECK(a.tensors.at(tensor).equal(value));
  }
  host().barrier();
}

CATCH_TEST_CASE("what happens again from the same checkpoint ends the run", "[replicas]") {
  if (host().size() == 1) return;
  const SharedFolder folder;
  const auto always = [](std::int64_t step, models::Model& model) {
    if (step == 6 && host().rank() == 0) turn_bit(model.groups().front().parameters.front().value);
  };
  CATCH_CHECK_THAT(
      error_of(run_in(folder.path / "run"), always),
      Contains("70 the ranks' models differ after step 6") && Contains(", again since step 4"));
}

CATCH_TEST_CASE("a run may stop instead", "[replicas]") {
  if (host().size() == 1) return;
  const SharedFolder folder;
  auto options = run_in(folder.path / "run");
  options.replicas.when_different = "stop";
  CATCH_CHECK_THAT(error_of(options, turning(0, {7}, 1)),
                   Contains("70 the ranks' models differ after step 8: " + named(0)) &&
                       Contains("hint: a memory, processor or library of that machine"));
}
