#include "models/rank_evaluation.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace cellmill::models {

RankEvaluation::RankEvaluation(RankEncoder& model)
    : model_(model),
      sums_(at::zeros({3}, at::kDouble)),
      genes_(at::zeros({model.dictionary().size()}, at::kDouble)) {}

void RankEvaluation::update(const data::Batch& batch, const StepContext& context) {
  constexpr std::int64_t kNoEpoch = -1;
  const at::NoGradGuard no_gradients;
  auto* counts = genes_.mutable_data_ptr<double>();
  for (const auto token : model_.sequences(batch).tokens)
    if (model_.dictionary().is_gene(token)) ++counts[token];
  const auto cells = model_.masked(batch, context.seed, kNoEpoch);
  if (cells.places.empty()) return;
  const auto logits = model_.logits(cells, {0, 0});
  const auto targets =
      at::tensor(at::ArrayRef<std::int64_t>(cells.targets), at::kLong).to(logits.device());
  sums_[0] += static_cast<double>(cells.places.size());
  sums_[1] +=
      at::nll_loss(at::log_softmax(logits, 1), targets, {}, at::Reduction::Sum).item<double>();
  sums_[2] += (logits.argmax(1) == targets).sum().item<double>();
}

std::vector<Score> RankEvaluation::scores() const {
  const double masked = std::max(1., sums_[0].item<double>());
  const auto shares = genes_ / genes_.sum().clamp_min(1);
  return {{"loss/masked_genes", sums_[1].item<double>() / masked},
          {"loss/unigram", -at::xlogy(shares, shares).sum().item<double>()},
          {"accuracy/masked_genes", sums_[2].item<double>() / masked}};
}

}  // namespace cellmill::models
