#include "models/cycle_evaluation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace cellmill::models {
namespace {

std::vector<std::string> context_fields(const data::Vocabulary& vocabulary) {
  constexpr double kLargest = 512.0 * (1 << 20) / 8;
  double elements = static_cast<double>(vocabulary.genes.size());
  std::vector<std::string> names;
  for (const auto& field : vocabulary.fields) {
    elements *= static_cast<double>(field.categories.size());
    names.push_back(field.name);
  }
  if (elements <= kLargest) return names;
  return {std::max_element(vocabulary.fields.begin(), vocabulary.fields.end(),
                           [](const auto& a, const auto& b) {
                             return a.categories.size() < b.categories.size();
                           })
              ->name};
}

/// 1 - sum of squared errors / sum of leave-one-out errors of the group means, over groups of two
/// cells or more.
double leave_one_out_r2(const at::Tensor& groups) {
  const auto genes = groups.size(1) - 3;
  const auto n = groups.select(1, genes + 2);
  const auto sums = groups.slice(1, 0, genes);
  const auto within = groups.select(1, genes) - sums.square().sum(1) / at::clamp_min(n, 1);
  const auto counted = (n >= 2).to(n.scalar_type());
  const auto factor = counted * (n / at::clamp_min(n - 1, 1)).square();
  const double baseline = (factor * within).sum().item<double>();
  const double error = (counted * groups.select(1, genes + 1)).sum().item<double>();
  return baseline > 0 ? 1 - error / baseline : 0;
}

}  // namespace

CycleEvaluation::CycleEvaluation(CycleAutoencoder& model)
    : model_(model), keys_(model.vocabulary_, context_fields(model.vocabulary_), "fields") {
  const auto genes = static_cast<std::int64_t>(model.vocabulary_.genes.size());
  groups_ = at::zeros({1 + keys_.count(), genes + 3}, at::kDouble);
  for (const auto& field : model.vocabulary_.fields) {
    classified_.emplace_back(static_cast<std::int64_t>(field.categories.size()));
  }
}

void CycleEvaluation::update(const data::Batch& batch, const StepContext& context) {
  const at::NoGradGuard no_gradients;
  const auto out = model_.run(batch, model_.draw(batch, context.seed), context, false);
  if (!losses_.defined()) {
    losses_ = at::zeros({static_cast<std::int64_t>(out.losses.terms.size()) + 1}, at::kDouble);
    for (const auto& term : out.losses.terms) {
      loss_names_.push_back(term.name);
      loss_weights_.push_back(term.group == "generator" ? term.weight : 0);
    }
  }
  // Terms are divided by the global number of cells: undone here, so that sums weigh cells alike.
  for (std::size_t k = 0; k < out.losses.terms.size(); ++k) {
    losses_[static_cast<std::int64_t>(k)] +=
        out.losses.terms[k].value.item<double>() * static_cast<double>(batch.global_cells);
  }
  losses_[-1] += static_cast<double>(batch.size());

  for (std::size_t f = 0; f < classified_.size(); ++f) {
    classified_[f].update(batch.labels.select(1, static_cast<std::int64_t>(f)).cpu(),
                          out.real_logits[f].argmax(1).cpu());
  }

  const auto x = model_.dense(batch);
  const auto own = model_.generator_.routes(batch.labels);
  const auto error = (model_.generator_.pass(x, own, own, false).output - x).to(at::kDouble);
  const auto wide = x.to(at::kDouble);
  const auto rows = at::cat({wide, wide.square().sum(1, true), error.square().sum(1, true),
                             at::ones({x.size(0), 1}, wide.options())},
                            1)
                        .cpu();
  groups_[0] += rows.sum(0);
  const auto key = keys_(batch.labels).cpu();
  const auto known = (key >= 0).nonzero().squeeze(1);
  groups_.slice(0, 1).index_add_(0, key.index_select(0, known), rows.index_select(0, known));
}

std::vector<at::Tensor> CycleEvaluation::state() {
  if (!losses_.defined()) losses_ = at::zeros({1}, at::kDouble);
  std::vector<at::Tensor> all = {losses_, groups_};
  for (auto& field : classified_) all.push_back(field.state());
  return all;
}

std::vector<Score> CycleEvaluation::scores() const {
  std::vector<Score> scores;
  const double cells = losses_[-1].item<double>();
  double generator = 0;
  for (std::size_t k = 0; k < loss_names_.size(); ++k) {
    const double value = losses_[static_cast<std::int64_t>(k)].item<double>() / cells;
    scores.push_back({"loss/" + loss_names_[k], value});
    generator += loss_weights_[k] * value;
  }
  scores.push_back({"loss/generator", generator});
  for (std::size_t f = 0; f < classified_.size(); ++f) {
    const auto& field = model_.vocabulary_.fields[f].name;
    const auto value = classified_[f].value();
    if (value.cells == 0) continue;
    scores.push_back({"accuracy/" + field, value.accuracy});
    scores.push_back({"macro_f1/" + field, value.macro_f1});
  }
  scores.push_back({"r2/global_mean", leave_one_out_r2(groups_.slice(0, 0, 1))});
  scores.push_back({"r2/context_mean", leave_one_out_r2(groups_.slice(0, 1))});
  return scores;
}

std::unique_ptr<Evaluation> CycleAutoencoder::evaluation() {
  return std::make_unique<CycleEvaluation>(*this);
}

}  // namespace cellmill::models
