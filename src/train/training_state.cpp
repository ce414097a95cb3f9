#include "train/training_state.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/error.h"
#include "base/format.h"

namespace cellmill::train {
namespace {

/// Every tensor of a run under its name in the checkpoint; sharing storage.
std::vector<std::pair<std::string, at::Tensor>> tensors_of(models::Model& model,
                                                           const std::vector<AdamW>& optimisers) {
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (const auto& group : model.groups()) {
    for (const auto& p : group.parameters) all.emplace_back("model/" + p.name, p.value.detach());
  }
  for (const auto& [name, value] : model.buffers()) all.emplace_back("model_buffer/" + name, value);
  for (const auto& optimiser : optimisers) {
    for (const auto& [name, value] : optimiser.state()) {
      all.emplace_back("optimiser/" + optimiser.name() + "/" + name, value);
    }
  }
  return all;
}

}  // namespace

checkpoint::State to_checkpoint(const TrainingState& state, models::Model& model,
                                const std::vector<AdamW>& optimisers,
                                const data::Vocabulary& vocabulary, const std::string& config) {
  checkpoint::State saved;
  for (auto& [name, tensor] : tensors_of(model, optimisers)) saved.tensors[name] = tensor;
  saved.texts = {{"config", config}, {"model", model.name()}};
  for (const auto& [name, text] : model.texts()) saved.texts["model_text/" + name] = text;
  saved.numbers = {{"step", state.steps},
                   {"epoch", state.position.epoch},
                   {"epoch_step", state.position.step},
                   {"best_step", state.best_step},
                   {"evaluations_without_gain", state.evaluations_without_gain},
                   {"settled", state.settled},
                   {"points", state.points}};
  if (state.cell_order) saved.numbers["cell_order"] = static_cast<std::int64_t>(*state.cell_order);
  saved.reals["best"] = state.best;
  state.interval.save("interval", saved.reals);
  state.epoch.save("epoch", saved.reals);
  saved.lists["genes"] = vocabulary.genes;
  if (vocabulary.ranked) saved.numbers["ranked"] = 1;
  auto& fields = saved.lists["fields"];  // there also where it is empty
  for (const auto& field : vocabulary.fields) {
    fields.push_back(field.name);
    saved.lists["categories/" + field.name] = field.categories;
  }
  return saved;
}

TrainingState from_checkpoint(const checkpoint::State& saved, const std::string& from,
                              models::Model& model, std::vector<AdamW>& optimisers,
                              const data::Vocabulary& vocabulary) {
  data::Vocabulary known;
  known.genes = saved.lists.at("genes");
  known.ranked = saved.numbers.contains("ranked");
  for (const auto& name : saved.lists.at("fields")) {
    known.fields.push_back({name, saved.lists.at("categories/" + name)});
  }
  data::check_vocabulary(known, vocabulary, from);
  for (const auto& [name, text] : model.texts()) {
    const auto found = saved.texts.find("model_text/" + name);
    if (found == saved.texts.end() || found->second != text)
      throw DataError({from, "text " + name, "that of the run file", "another"},
                      "the checkpoint does not fit the model",
                      "go on with the " + name + " that the run was begun with");
  }

  const at::NoGradGuard no_gradients;
  for (auto& optimiser : optimisers) optimiser.make_moments();
  for (auto& [name, tensor] : tensors_of(model, optimisers)) {
    const auto found = saved.tensors.find(name);
    if (found == saved.tensors.end()) {
      throw DataError({from, "tensor " + name, "", "none"},
                      "the checkpoint does not fit the model");
    }
    if (found->second.sizes() != tensor.sizes() ||
        found->second.scalar_type() != tensor.scalar_type()) {
      throw DataError(
          {from, "tensor " + name, fmt::format("{}", fmt::join(tensor.sizes().vec(), " x ")),
           fmt::format("{}", fmt::join(found->second.sizes().vec(), " x "))},
          "the checkpoint does not fit the model");
    }
    tensor.copy_(found->second);
  }
  for (auto& optimiser : optimisers) optimiser.keep_moments();
  TrainingState state;
  state.steps = saved.numbers.at("step");
  state.position = {saved.numbers.at("epoch"), saved.numbers.at("epoch_step")};
  state.best_step = saved.numbers.at("best_step");
  state.evaluations_without_gain = saved.numbers.at("evaluations_without_gain");
  state.settled = saved.numbers.at("settled");
  if (saved.numbers.contains("points")) state.points = saved.numbers.at("points");
  state.cell_order.reset();
  if (saved.numbers.contains("cell_order"))
    state.cell_order = static_cast<std::uint64_t>(saved.numbers.at("cell_order"));
  state.best = saved.reals.at("best");
  state.interval.load("interval", saved.reals);
  state.epoch.load("epoch", saved.reals);
  return state;
}

}  // namespace cellmill::train
