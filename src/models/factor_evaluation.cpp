#include "models/factor_evaluation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

namespace cellmill::models {
namespace {

constexpr auto kAnnealed = std::numeric_limits<std::int64_t>::max();

/// The word that a label counts as: the predicted one if it is among them.
at::Tensor truth_of(const at::Tensor& words, const at::Tensor& predicted) {
  const auto right = words.gather(1, predicted.unsqueeze(1)).squeeze(1) > 0;
  return at::where(right, predicted, words.argmax(1)).masked_fill(words.sum(1) == 0, -1);
}

/// The word of a label that has one and no more; -1 for others.
at::Tensor only_word_of(const at::Tensor& words) {
  return words.argmax(1).masked_fill(words.sum(1) != 1, -1);
}

}  // namespace

FactorEvaluation::FactorEvaluation(FactorModel& model)
    : model_(model),
      correlation_(model.network_.shape().genes),
      probe_(model.network_.latent(),
             static_cast<std::int64_t>(model.network_.shape().fields.size())) {
  const auto& fields = model.network_.shape().fields;
  for (std::size_t f = 0; f < fields.size(); ++f)
    if (model.network_.has_head(fields[f]))
      heads_.push_back({f, metrics::Classification(fields[f].size()), metrics::Calibration()});
}

void FactorEvaluation::update(const data::Batch& batch, const StepContext& context) {
  const at::NoGradGuard no_gradients;
  const auto input = model_.input(batch);
  const auto noise = model_.draw(batch, context.seed, /*training=*/false);
  const auto out = model_.run(input, noise, 1, kAnnealed);
  const auto& terms = out.losses.terms;
  if (!losses_.defined()) {
    losses_ = at::zeros({static_cast<std::int64_t>(terms.size()) + 1}, at::kDouble);
    for (const auto& term : terms) {
      loss_names_.push_back(term.name);
      loss_weights_.push_back(term.weight);
    }
  }
  for (std::size_t k = 0; k < terms.size(); ++k)
    losses_[static_cast<std::int64_t>(k)] += terms[k].value.item<double>();
  losses_[-1] += static_cast<double>(batch.size());
  classify(input, out.posterior);
  sample(batch, input, out.posterior);
  const auto decoded = model_.network_.decode(model_.network_.sample(out.posterior, {}), input, {});
  correlation_.update(nn::densify(model_.network_.normalised(input), at::kDouble).cpu(),
                      model_.expected(decoded).cpu());
}

void FactorEvaluation::classify(const FactorInput& input, const Gaussians& posterior) {
  for (auto& head : heads_) {
    const auto& field = model_.network_.shape().fields[head.field];
    const auto logits = model_.network_.logits(field, posterior[field.group].mean).cpu();
    const auto words = input.metadata[head.field].narrow(1, 0, field.size()).cpu();
    const auto predicted = logits.argmax(1);
    const auto truth = truth_of(words, predicted);
    head.classified.update(truth, predicted);
    head.calibrated.update(truth, logits);
  }
}

void FactorEvaluation::sample(const data::Batch& batch, const FactorInput& input,
                              const Gaussians& posterior) {
  const auto& fields = model_.network_.shape().fields;
  std::vector<at::Tensor> latents, words;
  for (const auto& latent : posterior)
    if (latent.mean.defined()) latents.push_back(latent.mean.cpu());
  for (std::size_t f = 0; f < fields.size(); ++f)
    words.push_back(only_word_of(input.metadata[f].narrow(1, 0, fields[f].size()).cpu()));
  probe_.update(batch.cells, at::cat(latents, 1), at::stack(words, 1));
}

void FactorEvaluation::add_probes(std::vector<Score>& scores) const {
  const auto& fields = model_.network_.shape().fields;
  for (std::size_t f = 0; f < fields.size(); ++f) {
    std::int64_t begin = 0;
    for (std::size_t g = 0; g < kFactorGroups; ++g) {
      const auto width = model_.network_.shape().widths[g];
      if (width == 0) continue;
      const auto value = probe_.value(static_cast<std::int64_t>(f), begin, width);
      begin += width;
      if (!std::isnan(value.accuracy))
        scores.push_back({"probe/" + fields[f].name + "/" + kFactorGroupNames[g], value.accuracy});
    }
  }
}

std::vector<at::Tensor> FactorEvaluation::state() {
  if (!losses_.defined()) losses_ = at::zeros({1}, at::kDouble);
  std::vector<at::Tensor> all = {losses_, correlation_.state(), probe_.state()};
  for (auto& head : heads_) {
    all.push_back(head.classified.state());
    all.push_back(head.calibrated.state());
  }
  return all;
}

std::vector<Score> FactorEvaluation::scores() const {
  std::vector<Score> scores;
  const double cells = losses_[-1].item<double>();
  double total = 0;
  for (std::size_t k = 0; k < loss_names_.size(); ++k) {
    const double value = losses_[static_cast<std::int64_t>(k)].item<double>() / cells;
    scores.push_back({"loss/" + loss_names_[k], value});
    total += loss_weights_[k] * value;
  }
  scores.push_back({"loss/factor", total});
  for (const auto& head : heads_) {
    const auto& field = model_.network_.shape().fields[head.field].name;
    const auto value = head.classified.value();
    if (value.cells == 0) continue;
    scores.push_back({"accuracy/" + field, value.accuracy});
    scores.push_back({"macro_f1/" + field, value.macro_f1});
    scores.push_back({"calibration/" + field, head.calibrated.error()});
    scores.push_back({"calibration/unscaled/" + field, head.calibrated.unscaled_error()});
    scores.push_back({"temperature/" + field, head.calibrated.temperature()});
    model_.set_temperature(head.field, head.calibrated.temperature());
  }
  add_probes(scores);
  scores.push_back({"pearson/genes", correlation_.of_genes()});
  scores.push_back({"pearson/samples", correlation_.of_samples()});
  return scores;
}

std::unique_ptr<Evaluation> FactorModel::evaluation() {
  return std::make_unique<FactorEvaluation>(*this);
}

}  // namespace cellmill::models
