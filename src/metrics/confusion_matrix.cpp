#include "metrics/confusion_matrix.h"

#include <ATen/ATen.h>

namespace cellmill::metrics {

ConfusionMatrix::ConfusionMatrix(std::int64_t classes)
    : counts_(at::zeros({classes, classes}, at::kDouble)) {}

void ConfusionMatrix::update(const at::Tensor& predicted, const at::Tensor& truth) {
  const auto known = (truth >= 0).nonzero().squeeze(1);
  const auto place =
      truth.index_select(0, known) * counts_.size(1) + predicted.index_select(0, known);
  counts_.view(-1).index_add_(0, place, at::ones({place.size(0)}, counts_.options()));
}

void ConfusionMatrix::merge(const at::Tensor& state) { counts_ += state; }

double ConfusionMatrix::accuracy() const {
  const double cells = counts_.sum().item<double>();
  return cells > 0 ? counts_.trace().item<double>() / cells : 0;
}

double ConfusionMatrix::macro_f1() const {
  const auto total = counts_.sum(0) + counts_.sum(1);  // of a class: 2 TP + FP + FN
  const auto f1 = 2 * counts_.diagonal() / at::clamp_min(total, 1);
  const double present = (total > 0).sum().item<double>();
  return present > 0 ? f1.sum().item<double>() / present : 0;
}

}  // namespace cellmill::metrics
