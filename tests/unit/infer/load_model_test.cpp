#include "infer/load_model.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "../expect.h"
#include "checkpoint/checkpoint.h"
#include "infer/inspection.h"
#include "io/files.h"
#include "models/capabilities.h"
#include "models/model_table.h"

namespace cellmill::infer {
namespace {

using Catch::Contains;

const data::Vocabulary kVocabulary{{{"type", {"a", "b"}}}, {"G1", "G2", "G3"}};
constexpr const char* kConfig =
    "data:\n  path: somewhere\nmodel:\n  cycle_autoencoder:\n    latent: 2\n"
    "    classifier_hidden: [4]\ntrain:\n  epochs: 3\n";

std::unique_ptr<models::Model> small_model() {
  models::ModelOptions options;
  options.cycle_autoencoder.latent = 2;
  options.cycle_autoencoder.classifier_hidden = {4};
  return models::make_model(options, kVocabulary, 7, at::kFloat);
}

checkpoint::State state_of(models::Model& model, std::int64_t step) {
  checkpoint::State state;
  for (const models::Group& group : model.groups())
    for (const models::Parameter& parameter : group.parameters)
      state.tensors["model/" + parameter.name] = parameter.value.detach();
  state.texts = {{"config", kConfig}, {"model", model.name()}};
  state.numbers = {{"step", step}, {"epoch", 1}};
  state.lists = {
      {"genes", kVocabulary.genes}, {"fields", {"type"}}, {"categories/type", {"a", "b"}}};
  return state;
}

data::Batch one_cell() {
  data::Batch batch;
  batch.indptr = at::tensor({0, 2}, at::kLong);
  batch.indices = at::tensor({0, 2}, at::kLong);
  batch.values = at::tensor({1.f, 2.f});
  batch.labels = at::zeros({1, 1}, at::kLong);
  batch.cells = at::zeros({1}, at::kLong);
  batch.genes = 3;
  batch.global_cells = 1;
  return batch;
}

// A model that can nothing but be trained.
struct Mute : models::Model {
  std::string name() const override { return "mute"; }
  std::vector<models::Group> groups() override { return {}; }
  models::Losses losses(const data::Batch&, const models::StepContext&) override { return {}; }
  void after_step() override {}
  std::unique_ptr<models::Evaluation> evaluation() override { return nullptr; }
  void to(c10::Device) override {}
};

}  // namespace

CATCH_TEST_CASE("a checkpoint alone gives back the model") {
  Scratch scratch;
  const auto model = small_model();
  checkpoint::save(scratch / "run/checkpoints", 12, state_of(*model, 12));
  LoadedModel loaded = load_model(scratch / "run", "cpu");
  CATCH_CHECK(loaded.step == 12);
  CATCH_CHECK(loaded.vocabulary == kVocabulary);
  const auto terms = require<models::Contributor>(loaded, "").contributions(one_cell());
  const auto expected = dynamic_cast<models::Contributor&>(*model).contributions(one_cell());
  CATCH_REQUIRE(terms.size() == expected.size());
  for (std::size_t h = 0; h < terms.size(); ++h) CATCH_CHECK(at::equal(terms[h], expected[h]));
}

CATCH_TEST_CASE("a tensor that does not fit the settings is named") {
  Scratch scratch;
  const auto model = small_model();
  checkpoint::State state = state_of(*model, 1);
  const std::string name = state.tensors.begin()->first;
  state.tensors[name] = at::zeros({5, 5});
  const auto path = checkpoint::save(scratch.folder, 1, state);
  CATCH_CHECK_THAT(error_of([&] { load_model(path, "cpu"); }),
                   Contains("65 ") && Contains("tensor " + name) && Contains("found 5 x 5") &&
                       Contains("the checkpoint does not fit its settings"));
  state.tensors.erase(name);
  checkpoint::save(scratch.folder, 2, state);
  CATCH_CHECK_THAT(error_of([&] { load_model(scratch.folder, "cpu"); }),
                   Contains("tensor " + name) && Contains("found none"));
  state.lists.erase("genes");
  checkpoint::save(scratch.folder, 3, state);
  CATCH_CHECK_THAT(error_of([&] { load_model(scratch.folder, "cpu"); }),
                   Contains("holds no model of cellmill; expected 'genes'"));
}

CATCH_TEST_CASE("of several checkpoints the best is meant, else the newest that is whole") {
  Scratch scratch;
  const auto model = small_model();
  const std::filesystem::path folder = scratch / "run/checkpoints";
  std::vector<std::filesystem::path> paths;
  for (std::int64_t step : {1, 2, 3})
    paths.push_back(checkpoint::save(folder, step, state_of(*model, step)));
  std::vector<std::string> notes;
  CATCH_CHECK(find_checkpoint(scratch / "run", notes) == paths[2]);
  CATCH_CHECK(find_checkpoint(paths[0], notes) == paths[0]);
  CATCH_CHECK(notes.empty());
  std::filesystem::resize_file(paths[2] / "state.h5", 100);
  CATCH_CHECK(find_checkpoint(folder, notes) == paths[1]);
  CATCH_CHECK(notes.size() == 1);
  io::write_text_atomically(folder / "best.json", "{\"step\": 1}");
  CATCH_CHECK(find_checkpoint(scratch / "run", notes) == paths[0]);

  const Inspection inspection = inspect(scratch / "run", Verify::kAll);
  CATCH_REQUIRE(inspection.verdicts.size() == 3);
  CATCH_CHECK(inspection.verdicts[1].problem.empty());
  CATCH_CHECK(!inspection.verdicts[2].problem.empty());
  CATCH_CHECK_THAT(text_of(inspection, Detail::kShort),
                   Contains("trained      1 steps, epoch 1, the best so far") &&
                       Contains("field        type, 2 categories: a, b") &&
                       Contains("digests      BROKEN: "));
  CATCH_CHECK_THAT(error_of([&] { find_checkpoint(scratch / "none", notes); }),
                   Contains("66 ") && Contains("no such checkpoint or run"));
}

CATCH_TEST_CASE("a model that cannot is refused, and those that can are named") {
  LoadedModel loaded;
  loaded.model = std::make_unique<Mute>();
  CATCH_CHECK_THAT(
      error_of([&] { require<models::Counterfactual>(loaded, "generate counterfactuals"); }),
      Contains("64 the model mute cannot generate counterfactuals") &&
          Contains("models that can: cycle_autoencoder"));
}

}  // namespace cellmill::infer
