#include "nn/losses.h"

#include <ATen/ATen.h>

namespace cellmill::nn {
namespace {
at::Tensor wide(const at::Tensor& t) {
  return t.scalar_type() == at::kDouble ? t : t.to(at::kFloat);
}
}  // namespace

at::Tensor cross_entropy_sum(const at::Tensor& logits, const at::Tensor& labels) {
  return at::cross_entropy_loss(wide(logits), labels, {}, at::Reduction::Sum, /*ignore_index=*/-1);
}

at::Tensor squared_error_sum(const at::Tensor& a, const at::Tensor& b) {
  return at::mse_loss(wide(a), wide(b), at::Reduction::Sum);
}

at::Tensor population_matching(const at::Tensor& residual, const at::Tensor& keys,
                               const at::Tensor& sum, const at::Tensor& count) {
  const auto counted = at::where(count >= 2, count, at::zeros_like(count));
  const auto total = at::clamp_min(counted.sum(), 1);
  const auto rows = (keys >= 0).nonzero().squeeze(1);
  const auto key = keys.index_select(0, rows);
  const auto n = counted.index_select(0, key);
  const auto weight = at::where(n > 0, 1 / (at::clamp_min(n - 1, 1) * total), at::zeros_like(n));
  const auto d = wide(residual).index_select(0, rows);
  const auto others = (sum.index_select(0, key) - d).detach();
  const auto value = ((d * others).sum(1) * weight).sum();
  return 2 * value - value.detach();
}

}  // namespace cellmill::nn
