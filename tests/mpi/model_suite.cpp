// What training asks of every model of the table (models/model_table.h), checked on each: shares
// and micro-shards step as the whole does, a saved run goes on to the same bits, a seed says all,
// labels may be missing, and a few cells can be learnt.
#include <catch2/catch.hpp>
#include <map>
#include <memory>

#include "comm/solo_communicator.h"
#include "data/device_feed.h"
#include "models/model_table.h"
#include "shares.h"
#include "train/step.h"
#include "train/training_state.h"

using namespace cellmill;

namespace {

constexpr std::int64_t kGenes = 30, kSteps = 5, kSeed = 11;
using Named = std::vector<std::pair<std::string, at::Tensor>>;

const data::Vocabulary& vocabulary() {
  static const data::Vocabulary made = [] {
    data::Vocabulary v;
    v.fields = {{"cell_type", {"a", "b", "a|b"}},
                {"sex", {"female", "male"}},
                {"assay", {"x", "y", "never"}},
                {"dose", {"1 um", "10 um", "3 mg"}}};
    for (int g = 0; g < kGenes; ++g) v.genes.push_back("G" + std::to_string(g));
    return v;
  }();
  return made;
}

/// The first third has no sex, so that a rank may have none at all.
data::Batch whole_batch(std::int64_t step) {
  auto random = at::detail::createCPUGenerator(100 + step);
  auto batch = drawn_cells(step, kGenes, random);
  batch.values = at::ceil(3 * batch.values);
  std::vector<at::Tensor> labels;
  for (const std::int64_t used : {3, 2, 2, 3})
    labels.push_back(at::randint(used, {kCells}, random, at::kLong));
  batch.labels = at::stack(labels, 1).masked_fill(at::rand({kCells, 4}, random) < 0.2, -1);
  batch.labels.select(1, 1).slice(0, 0, kCells / 3).fill_(-1);
  static data::DeviceFeed feed(test_world().device);
  return feed.move(batch);
}

/// Everything on that draws numbers, counts labels or rises with steps.
models::ModelOptions small(const std::string& name) {
  models::ModelOptions options;
  options.name = name;
  auto& cycle = options.cycle_autoencoder;
  cycle.latent = 6;
  cycle.classifier_hidden = {8};
  cycle.head.scale = 0.3;
  cycle.targets.keep_probability = 0.3;
  cycle.loss.labels_over = "known";
  cycle.loss.match = 0.5;
  cycle.loss.match_fields = {"cell_type"};
  cycle.optimiser.learning_rate = 1e-2;
  auto& factor = options.factor_model;
  factor.latents = {4, 3, 2, false};
  factor.network.hidden = 8;
  factor.network.prior_hidden = 6;
  factor.network.adversary_hidden = 5;
  factor.dropout = {0.1, 0.2, 0.2};
  factor.loss.labels = 5;
  factor.loss.adversary = 2;
  factor.loss.kl_steps = 3;
  factor.optimiser.learning_rate = 1e-2;
  factor.optimiser.clip_norm = 20;
  auto& rank = options.rank_encoder;
  rank.layers = 2;
  rank.hidden = 8;
  rank.heads = 2;
  rank.intermediate = 12;
  rank.max_length = 14;
  rank.special_tokens = true;
  rank.initializer_range = 0.2;
  rank.dropout = {0.1, 0.1};
  rank.optimiser.learning_rate = 1e-2;
  // The gradient of the keys' biases is 0 but for rounding, which Adam must not divide by itself.
  rank.optimiser.epsilon = 1e-4;
  return options;
}

struct Side {
  std::unique_ptr<models::Model> model;
  train::Stepper stepper;
  Side(const models::ModelOptions& options, comm::Communicator& world, at::ScalarType dtype,
       train::StepOptions stepping = {}, std::uint64_t seed = kSeed)
      : model(models::make_model(options, vocabulary(), seed, dtype)),
        stepper((model->to(test_world().device), *model), world, seed, stepping) {}

  Named everything() {
    auto& host = *test_world().host_world;
    for (auto& optimiser : stepper.optimisers())
      for (int root = 0; root < host.size(); ++root) optimiser.gather_moments(host, root);
    auto all = model->buffers();
    for (const auto& group : model->groups())
      for (const auto& p : group.parameters) all.emplace_back(p.name, p.value.detach());
    for (const auto& optimiser : stepper.optimisers())
      for (const auto& named : optimiser.state()) all.push_back(named);
    return all;
  }

  void survey(comm::Communicator& world, Cut cut) {
    if (!model->needs_survey()) return;
    for (std::int64_t step = 0; step < kSteps; ++step)
      model->survey(cut ? share(whole_batch(step), cut) : whole_batch(step));
    auto sums = model->survey_state();
    world.all_reduce(sums, comm::Op::kSum);
    model->finish_survey();
  }

  void advance(std::int64_t from, std::int64_t to) {
    for (auto step = from; step < to; ++step) stepper.step(share(whole_batch(step), even), 1, {});
  }
};

void check_near(const std::map<std::string, double>& got,
                const std::map<std::string, double>& expected, double allowed) {
  CATCH_REQUIRE(got.size() == expected.size());
  for (const auto& [name, value] : expected) {
    CATCH_INFO(name << ": " << got.at(name) << " for " << value);
    CATCH_CHECK(std::abs(got.at(name) - value) <= allowed * (std::abs(value) + 1e-3));
  }
}

void check_same_bits(const Named& got, const Named& expected) {
  CATCH_REQUIRE(got.size() == expected.size());
  for (std::size_t k = 0; k < got.size(); ++k) {
    CATCH_INFO(got[k].first);
    CATCH_CHECK(got[k].second.equal(expected[k].second));
  }
}

std::map<std::string, double> scores_of(models::Model& model, comm::Communicator& world, Cut cut) {
  const auto evaluation = model.evaluation();
  models::StepContext context;
  context.sum_over_ranks = [&](at::Tensor& sum) { world.all_reduce(sum, comm::Op::kSum); };
  for (std::int64_t step = 0; step < 2; ++step)
    evaluation->update(cut ? share(whole_batch(step), cut) : whole_batch(step), context);
  for (auto& sums : evaluation->state()) world.all_reduce(sums, comm::Op::kSum);
  std::map<std::string, double> scores;
  for (const auto& score : evaluation->scores()) scores[score.name] = score.value;
  return scores;
}

void check_shares(const models::ModelOptions& options, at::ScalarType dtype, Cut cut) {
  const double allowed = dtype == at::kDouble ? 1e-9 : 1e-4;
  comm::SoloCommunicator solo;
  auto& world = test_world().tensors();
  Side alone(options, solo, dtype), together(options, world, dtype);
  alone.survey(solo, nullptr);
  together.survey(world, cut);
  for (std::int64_t step = 0; step < kSteps; ++step) {
    CATCH_INFO("step " << step);
    const auto expected = alone.stepper.step(whole_batch(step), 1, {});
    const auto got = together.stepper.step(share(whole_batch(step), cut), 1, {});
    check_near(got.losses, expected.losses, allowed);
    check_near(got.norms, expected.norms, allowed);
  }
  const auto expected = alone.everything(), got = together.everything();
  CATCH_REQUIRE(got.size() == expected.size());
  for (std::size_t k = 0; k < got.size(); ++k) {
    CATCH_INFO(got[k].first);
    CATCH_CHECK(distance(got[k].second, expected[k].second) <= allowed);
  }
  check_near(scores_of(*together.model, world, cut), scores_of(*alone.model, solo, nullptr),
             allowed);
}

void check_micro_shards(const models::ModelOptions& options) {
  const train::StepOptions stepping{.passes = {.micro_shards = 12}};
  comm::SoloCommunicator solo;
  auto& world = test_world().tensors();
  Side alone(options, solo, at::kFloat, stepping), together(options, world, at::kFloat, stepping);
  for (auto* side : {&alone, &together}) side->survey(solo, nullptr);
  for (std::int64_t step = 0; step < kSteps; ++step) {
    const auto batch = whole_batch(step);
    const auto expected = alone.stepper.step(divided(batch, {0, 1, 12}), 1, {});
    const auto got = together.stepper.step(divided(batch, {world.rank(), world.size(), 12}), 1, {});
    CATCH_CHECK(got.losses == expected.losses);
    CATCH_CHECK(got.norms == expected.norms);
  }
  check_same_bits(together.everything(), alone.everything());
}

void check_resume(const models::ModelOptions& options) {
  auto& world = test_world().tensors();
  Side whole(options, world, at::kFloat), stopped(options, world, at::kFloat);
  for (auto* side : {&whole, &stopped}) side->survey(world, even);
  whole.advance(0, kSteps);
  stopped.advance(0, 2);
  stopped.everything();  // gathers the moments
  train::TrainingState state;
  state.steps = 2;
  auto saved =
      train::to_checkpoint(state, *stopped.model, stopped.stepper.optimisers(), vocabulary(), "");
  for (auto& [name, tensor] : saved.tensors) tensor = tensor.clone();
  Side resumed(options, world, at::kFloat);
  for (const auto& group : resumed.model->groups())
    for (const auto& p : group.parameters) p.value.detach().fill_(0.5);
  const auto found = train::from_checkpoint(saved, "memory", *resumed.model,
                                            resumed.stepper.optimisers(), vocabulary());
  resumed.stepper.passes().start_at(found.steps);
  resumed.advance(2, kSteps);
  check_same_bits(resumed.everything(), whole.everything());
}

void check_seed(const models::ModelOptions& options) {
  auto& world = test_world().tensors();
  Side a(options, world, at::kFloat), b(options, world, at::kFloat),
      other(options, world, at::kFloat, {}, kSeed + 1);
  for (auto* side : {&a, &b, &other}) {
    side->survey(world, even);
    side->advance(0, kSteps);
  }
  check_same_bits(a.everything(), b.everything());
  const auto first = a.everything(), second = other.everything();
  std::size_t different = 0;
  for (std::size_t k = 0; k < first.size(); ++k)
    different += !first[k].second.equal(second[k].second);
  CATCH_CHECK(different > first.size() / 2);
}

void check_no_labels(const models::ModelOptions& options) {
  auto& world = test_world().tensors();
  Side side(options, world, at::kFloat);
  side.survey(world, even);
  auto batch = whole_batch(0);
  batch.labels = at::full_like(batch.labels, -1);
  for (const auto& [name, value] : side.stepper.step(share(batch, even), 1, {}).losses) {
    CATCH_INFO(name);
    CATCH_CHECK(std::isfinite(value));
  }
}

/// Without what works against the reconstruction: targets, populations, dropout, new masks.
void check_overfits(models::ModelOptions options) {
  options.cycle_autoencoder.loss.target = options.cycle_autoencoder.loss.match = 0;
  options.factor_model.dropout = {};
  options.rank_encoder.dropout = {0, 0};
  auto& world = test_world().tensors();
  Side side(options, world, at::kFloat);
  side.survey(world, even);
  const auto batch = share(whole_batch(0), even);
  const auto loss = [](const train::StepResult& result) {
    const auto found = result.losses.find("reconstruction");
    return found == result.losses.end() ? result.losses.at("masked_genes") : found->second;
  };
  const double first = loss(side.stepper.step(batch, 1, {}));
  for (int step = 0; step < 300; ++step) side.stepper.step(batch, 1, {});
  const double last = loss(side.stepper.step(batch, 1, {}));
  CATCH_INFO(options.name << ": " << first << " to " << last);
  CATCH_CHECK(last < 0.9 * first);
}

template <class Check>
void for_each_model(const Check& check) {
  for (const auto& name : models::model_names()) {
    CATCH_INFO(name);
    check(small(name));
  }
}

}  // namespace

CATCH_TEST_CASE("every model: shares step and score as the whole does", "[models]") {
  for_each_model([](const models::ModelOptions& options) {
    for (const auto dtype : {at::kDouble, at::kFloat}) {
      for (const Cut cut : {even, uneven, first_empty}) {
        CATCH_INFO((dtype == at::kDouble ? "float64, " : "float32, ") << name_of(cut));
        check_shares(options, dtype, cut);
      }
    }
  });
}

CATCH_TEST_CASE("every model: micro-shards step to the same bits on any number of ranks",
                "[models]") {
  for_each_model(check_micro_shards);
}

CATCH_TEST_CASE("every model: a saved run goes on to the same bits", "[models]") {
  for_each_model(check_resume);
}

CATCH_TEST_CASE("every model: the seed says all", "[models]") { for_each_model(check_seed); }

CATCH_TEST_CASE("every model: steps without any label", "[models]") {
  for_each_model(check_no_labels);
}

CATCH_TEST_CASE("every model: learns a few cells", "[models]") { for_each_model(check_overfits); }
