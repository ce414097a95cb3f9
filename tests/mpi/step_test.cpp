// N ranks on a batch do what one rank does on the same batch: every rank trains one model with the
// world on its share, and another one alone on the whole batch, and compares everything.
#include "train/step.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <catch2/catch.hpp>
#include <memory>

#include "comm/solo_communicator.h"
#include "data/device_feed.h"
#include "models/cycle_autoencoder.h"
#include "shares.h"
#include "train/training_state.h"

using namespace cellmill;
using models::CycleAutoencoder;
using models::CycleAutoencoderOptions;
using train::Stepper;

namespace {

constexpr std::int64_t kGenes = 30, kSteps = 5, kSeed = 11;
constexpr std::int64_t kUsed = 3;  // categories of "type" that cells have; the last two are absent

const data::Vocabulary& vocabulary() {
  static const data::Vocabulary made = [] {
    data::Vocabulary v;
    v.fields = {{"type", {"a", "b", "c", "absent", "missed"}},
                {"drug", {"none", "A", "B", "A+B", "A+C"}}};
    for (int g = 0; g < kGenes; ++g) v.genes.push_back("G" + std::to_string(g));
    return v;
  }();
  return made;
}

data::Batch whole_batch(std::int64_t step) {
  auto random = at::detail::createCPUGenerator(100 + step);
  auto batch = drawn_cells(step, kGenes, random);
  batch.labels =
      at::stack({at::randint(kUsed, {kCells}, random), at::randint(5, {kCells}, random)}, 1);
  batch.labels.masked_fill_(at::rand({kCells, 2}, random) < 0.2, -1);
  static data::DeviceFeed feed(test_world().device);
  return feed.move(batch);
}

CycleAutoencoderOptions small() {
  CycleAutoencoderOptions options;
  options.latent = 6;
  options.classifier_hidden = {8};
  options.head.scale = 0.3;
  options.targets.keep_probability = 0.3;
  options.targets.keep = {{"type", "1"}};
  options.optimiser.learning_rate = 1e-2;
  options.optimiser.head_weight_decay = 1e-2;
  options.optimiser.base_weight_decay = 1e-3;
  return options;
}

struct Side {
  CycleAutoencoder model;
  Stepper stepper;
  Side(const CycleAutoencoderOptions& options, comm::Communicator& world, at::ScalarType dtype,
       train::StepOptions stepping = {})
      : model(options, vocabulary(), kSeed, dtype),
        stepper((model.to(test_world().device), model), world, kSeed, stepping) {}

  std::vector<std::pair<std::string, at::Tensor>> everything() {
    auto& host = *test_world().host_world;
    for (auto& optimiser : stepper.optimisers())
      for (int root = 0; root < host.size(); ++root) optimiser.gather_moments(host, root);
    auto all = model.buffers();
    for (const auto& group : model.groups()) {
      for (const auto& p : group.parameters) all.emplace_back(p.name, p.value.detach());
    }
    for (const auto& optimiser : stepper.optimisers()) {
      for (const auto& named : optimiser.state()) all.push_back(named);
    }
    return all;
  }
};

void survey(CycleAutoencoder& model, comm::Communicator& world, Cut cut) {
  if (!model.needs_survey()) return;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    model.survey(cut ? share(whole_batch(step), cut) : whole_batch(step));
  }
  auto sums = model.survey_state();
  world.all_reduce(sums, comm::Op::kSum);
  model.finish_survey();
}

void check_same_bits_on_all_ranks(Side& side) {
  std::vector<at::Tensor> flat;
  for (const auto& [name, value] : side.everything())
    flat.push_back(value.to(at::kDouble).flatten());
  const auto mine = at::cat(flat).unsqueeze(0).contiguous();
  const auto all = test_world().tensors().all_gather(mine);
  for (std::int64_t rank = 0; rank < all.size(0); ++rank) CATCH_CHECK(all[rank].equal(mine[0]));
}

void check_equal(const CycleAutoencoderOptions& options, at::ScalarType dtype, Cut cut,
                 train::StepOptions stepping) {
  comm::SoloCommunicator solo;
  Side alone(options, solo, dtype), together(options, test_world().tensors(), dtype, stepping);
  survey(alone.model, solo, nullptr);
  survey(together.model, test_world().tensors(), cut);
  const double allowed = dtype == at::kDouble ? 1e-12 : 1e-6;
  const auto initial = [&] {
    std::map<std::string, at::Tensor> kept;
    for (const auto& [name, value] : together.everything()) kept[name] = value.clone();
    return kept;
  }();

  for (std::int64_t step = 0; step < kSteps; ++step) {
    const double schedule = 1.0 / static_cast<double>(1 + step);
    const train::Votes votes{test_world().rank == test_world().size - 1 && step == 2, false};
    const auto expected = alone.stepper.step(whole_batch(step), schedule, {});
    const auto got = together.stepper.step(share(whole_batch(step), cut), schedule, votes);
    CATCH_CHECK(got.votes.stop == (step == 2));
    CATCH_REQUIRE(got.losses.size() == expected.losses.size());
    for (const auto& [name, value] : expected.losses) {
      CATCH_INFO("loss " << name << " at step " << step);
      CATCH_CHECK(std::abs(got.losses.at(name) - value) <= allowed * std::abs(value));
    }
    for (const auto& [name, norm] : expected.norms) {
      CATCH_INFO("norm of " << name << " at step " << step);
      CATCH_CHECK(std::abs(got.norms.at(name) - norm) <= allowed * norm);
    }
  }

  const auto expected = alone.everything(), got = together.everything();
  CATCH_REQUIRE(got.size() == expected.size());
  std::int64_t moved = 0;
  for (std::size_t k = 0; k < got.size(); ++k) {
    CATCH_INFO(got[k].first);
    if (got[k].first.starts_with("steps/")) CATCH_CHECK(got[k].second.equal(expected[k].second));
    CATCH_CHECK(distance(got[k].second, expected[k].second) <= allowed);
    const auto& before = initial.at(got[k].first);
    moved += !got[k].second.equal(before);
    if (got[k].first.find("ffn.type.") != std::string::npos) {
      CATCH_CHECK(got[k].second.slice(0, kUsed).equal(before.slice(0, kUsed)));
      CATCH_CHECK_FALSE(got[k].second.slice(0, 0, kUsed).equal(before.slice(0, 0, kUsed)));
    }
  }
  CATCH_CHECK(moved > static_cast<std::int64_t>(got.size()) / 2);
  check_same_bits_on_all_ranks(together);
}

/// Bytes that LibTorch's allocators have given out and not got back.
struct Allocated : c10::MemoryReportingInfoBase {
  std::int64_t bytes = 0;
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    bytes += size;
  }
  bool memoryProfilingEnabled() const override { return true; }
};

/// Two ways to step in this world, from the same values: the same bits?
void check_same_bits(const CycleAutoencoderOptions& options, train::StepOptions plain,
                     train::StepOptions fast) {
  for (const Cut cut : {even, first_empty}) {
    Side a(options, test_world().tensors(), at::kFloat, plain),
        b(options, test_world().tensors(), at::kFloat, fast);
    for (std::int64_t step = 0; step < kSteps; ++step)
      for (auto* side : {&a, &b}) side->stepper.step(share(whole_batch(step), cut), 1, {});
    const auto expected = a.everything(), got = b.everything();
    CATCH_REQUIRE(got.size() == expected.size());
    for (std::size_t k = 0; k < got.size(); ++k) {
      CATCH_INFO(got[k].first);
      CATCH_CHECK(got[k].second.equal(expected[k].second));
    }
  }
}

/// Micro-shards in this world, and all of them on one rank: the same bits?
void check_across_world_sizes(const CycleAutoencoderOptions& options) {
  for (const std::int64_t micro_shards : {5, 12, 31}) {  // of 31 some are empty
    const train::StepOptions stepping{.passes = {.micro_shards = micro_shards}};
    comm::SoloCommunicator solo;
    auto& world = test_world().tensors();
    Side alone(options, solo, at::kFloat, stepping), together(options, world, at::kFloat, stepping),
        plain(options, solo, at::kFloat);
    for (auto* side : {&alone, &together, &plain}) survey(side->model, solo, nullptr);
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const auto batch = whole_batch(step);
      const auto expected = alone.stepper.step(divided(batch, {0, 1, micro_shards}), 1, {});
      const auto got =
          together.stepper.step(divided(batch, {world.rank(), world.size(), micro_shards}), 1, {});
      const auto near = plain.stepper.step(batch, 1, {});
      CATCH_CHECK(got.losses == expected.losses);
      CATCH_CHECK(got.norms == expected.norms);
      CATCH_CHECK(got.cells == expected.cells);
      CATCH_CHECK(got.cells == near.cells);
      for (const auto& [name, value] : near.losses) {
        CATCH_INFO("loss " << name << " at step " << step);
        CATCH_CHECK(std::abs(got.losses.at(name) - value) <= 1e-5 * std::abs(value));
      }
    }
    const auto expected = alone.everything(), got = together.everything();
    for (std::size_t k = 0; k < got.size(); ++k) {
      CATCH_INFO(got[k].first << ", " << micro_shards << " micro-shards");
      CATCH_CHECK(got[k].second.equal(expected[k].second));
    }
  }
}

void check_all(const CycleAutoencoderOptions& options, train::StepOptions stepping = {}) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    for (const Cut cut : {even, uneven, first_empty}) {
      CATCH_INFO((dtype == at::kDouble ? "float64" : "float32") << ", " << name_of(cut));
      check_equal(options, dtype, cut, stepping);
    }
  }
}

}  // namespace

CATCH_TEST_CASE("N ranks step as one does", "[step]") { check_all(small()); }

CATCH_TEST_CASE("N ranks clip as one does, by the norm of the whole gradient", "[step]") {
  auto options = small();
  options.optimiser.clip_norm = 0.05;
  check_all(options);
}

CATCH_TEST_CASE("labels are counted over all ranks", "[step]") {
  auto options = small();
  options.loss.labels_over = "known";
  check_all(options);
}

CATCH_TEST_CASE("populations are surveyed and matched over all ranks", "[step]") {
  auto options = small();
  options.loss.match = 0.5;
  options.loss.match_fields = {"type", "drug"};
  options.loss.match_kept = {"type"};
  check_all(options);
}

CATCH_TEST_CASE("N ranks step as one does with categories that are sets", "[step]") {
  auto options = small();
  options.head.sets = {{"drug", "none"}};
  check_all(options);
}

CATCH_TEST_CASE("N ranks step as one does on the route through both contexts", "[step]") {
  auto options = small();
  options.head.route = "source_and_target";
  options.head.missing_hidden = "zero";
  check_all(options);
}

CATCH_TEST_CASE("N ranks step as one does in the factored form", "[step]") {
  auto options = small();
  options.compute = "factored";
  options.head.sets = {{"drug", "none"}};
  options.loss.match = 0.5;
  options.loss.match_fields = {"type"};
  check_all(options);
}

CATCH_TEST_CASE("sums that overlap backward have the bits of those after it", "[step]") {
  for (const std::int64_t bytes : {1, 1000, 1 << 20})
    check_same_bits(small(), {}, {.overlap = true, .bucket_bytes = bytes});
}

CATCH_TEST_CASE("sharded moments step to the bits of whole ones", "[step]") {
  check_same_bits(small(), {}, {.shard = true});
  check_same_bits(small(), {}, {.overlap = true, .bucket_bytes = 1000, .shard = true});
}

CATCH_TEST_CASE("N ranks step as one does with sharded moments, and clip so", "[step]") {
  auto options = small();
  check_all(options, {.shard = true});
  options.optimiser.clip_norm = 0.05;
  check_all(options, {.shard = true});
}

CATCH_TEST_CASE("a rank holds its share of the moments and no more", "[step]") {
  auto options = small();
  options.latent = 64;
  const auto held = [&](bool shard) {
    const auto allocated = std::make_shared<Allocated>();
    const c10::DebugInfoGuard counting(c10::DebugInfoKind::PROFILER_STATE, allocated);
    Side side(options, test_world().tensors(), at::kFloat, {.shard = shard});
    side.stepper.step(share(whole_batch(0), even), 1, {});
    side.everything();
    for (auto& optimiser : side.stepper.optimisers()) optimiser.drop_moments();
    return static_cast<double>(allocated->bytes);
  };
  held(false);  // what LibTorch keeps from its first step
  double moments = 0;
  for (const auto& group : CycleAutoencoder(options, vocabulary(), kSeed, at::kFloat).groups())
    for (const auto& p : group.parameters) moments += 8.0 * static_cast<double>(p.value.numel());
  const double whole = held(false), saved = whole - held(true);
  CATCH_CAPTURE(moments, whole, saved);
  CATCH_CHECK(whole > moments);
  // Sharded, the values lie in memory that ranks share and LibTorch does not count.
  const double values = test_world().size > 1 ? moments / 2 : 0;
  CATCH_CHECK(moments - (saved - values) == Approx(moments / test_world().size).epsilon(0.01));
}

CATCH_TEST_CASE("a checkpoint is the same sharded or not, and resumed either way", "[step]") {
  auto& world = test_world().tensors();
  const auto advance = [](Side& side, std::int64_t from) {
    for (auto step = from; step < from + 2; ++step)
      side.stepper.step(share(whole_batch(step), even), 1, {});
  };
  const auto saved = [](Side& side) {
    side.everything();  // gathers the moments on every rank
    auto state = train::to_checkpoint({}, side.model, side.stepper.optimisers(), vocabulary(), "");
    for (auto& [name, tensor] : state.tensors) tensor = tensor.clone();
    return state;
  };
  Side whole(small(), world, at::kFloat), sharded(small(), world, at::kFloat, {.shard = true});
  advance(whole, 0);
  advance(sharded, 0);
  const auto a = saved(whole), b = saved(sharded);
  CATCH_REQUIRE(a.tensors.size() == b.tensors.size());
  for (const auto& [name, tensor] : a.tensors) {
    CATCH_INFO(name);
    CATCH_CHECK(b.tensors.at(name).equal(tensor));
  }
  Side was_whole(small(), world, at::kFloat, {.shard = true}),
      was_sharded(small(), world, at::kFloat);
  for (auto& [side, state] : {std::pair{&was_whole, &a}, std::pair{&was_sharded, &b}})
    train::from_checkpoint(*state, "memory", side->model, side->stepper.optimisers(), vocabulary());
  advance(whole, 2);
  const auto expected = saved(whole);
  for (auto* side : {&was_whole, &was_sharded}) {
    advance(*side, 2);
    for (const auto& [name, tensor] : saved(*side).tensors) {
      CATCH_INFO(name);
      CATCH_CHECK(tensor.equal(expected.tensors.at(name)));
    }
  }
}

CATCH_TEST_CASE("a share in pieces steps as the whole does", "[step]") {
  const train::StepOptions pieces{.passes = {.cells_at_once = 5}};
  auto options = small();
  check_all(options, pieces);
  options.loss.labels_over = "known";
  options.loss.match = 0.5;
  options.loss.match_fields = {"type", "drug"};
  options.optimiser.clip_norm = 0.05;
  check_all(options, pieces);
  options.compute = "factored";
  check_all(options, pieces);
  check_all(options,
            {.overlap = true, .bucket_bytes = 1000, .shard = true, .passes = {.cells_at_once = 1}});
}

CATCH_TEST_CASE("micro-shards step to the same bits on any number of ranks", "[step]") {
  auto options = small();
  check_across_world_sizes(options);
  options.compute = "factored";
  check_across_world_sizes(options);
  options.loss.labels_over = "known";
  options.loss.match = 0.5;
  options.loss.match_fields = {"type", "drug"};
  options.optimiser.clip_norm = 0.05;
  check_across_world_sizes(options);
  options.compute = "dense";
  check_across_world_sizes(options);
}

CATCH_TEST_CASE("fewer micro-shards than ranks are refused", "[step]") {
  auto& world = test_world().tensors();
  if (world.size() == 1) return;
  CATCH_CHECK_THROWS_WITH(Side(small(), world, at::kFloat, {.passes = {.micro_shards = 1}}),
                          "train.micro_shards: 1 of them cannot be dealt to " +
                              std::to_string(world.size()) + " ranks");
}
