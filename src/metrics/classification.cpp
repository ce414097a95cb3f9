#include "metrics/classification.h"

#include <ATen/ATen.h>

namespace cellmill::metrics {

Classification::Classification(std::int64_t classes, at::Device device)
    : counts_(at::zeros({3, classes}, at::TensorOptions(at::kDouble).device(device))) {}

void Classification::update(const at::Tensor& truth, const at::Tensor& predicted) {
  const at::Tensor known = truth.ge(0).to(at::kDouble);
  const at::Tensor label = truth.clamp_min(0);
  counts_[0].index_add_(0, label, known * label.eq(predicted));
  counts_[1].index_add_(0, label, known);
  counts_[2].index_add_(0, predicted, known);
}

Classification::Value Classification::value() const {
  const at::Tensor sizes = counts_[1] + counts_[2];
  const at::Tensor occurs = sizes.gt(0);
  const at::Tensor f1 = 2 * counts_[0] / sizes;  // NaN where a class does not occur
  const double cells = counts_[1].sum().item<double>();
  return {static_cast<std::int64_t>(cells), counts_[0].sum().item<double>() / cells,
          f1.masked_select(occurs).mean().item<double>()};
}

}  // namespace cellmill::metrics
