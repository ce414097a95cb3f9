#include "metrics/correlation.h"

#include <ATen/ATen.h>

namespace cellmill::metrics {
namespace {

constexpr double kNoVariance = 1e-12;

/// Pearson r along a dimension; 0 where one side does not vary.
at::Tensor pearson(const at::Tensor& a2, const at::Tensor& b2, const at::Tensor& ab) {
  return at::where(at::minimum(a2, b2) > kNoVariance, ab / at::sqrt(at::clamp_min(a2 * b2, 1e-300)),
                   0);
}

}  // namespace

Correlation::Correlation(std::int64_t genes, at::Device device)
    : sums_(at::zeros({genes + 1, 5}, at::TensorOptions(at::kDouble).device(device))) {}

void Correlation::update(const at::Tensor& truth, const at::Tensor& predicted) {
  const auto genes = sums_.size(0) - 1;
  const auto a = truth.to(at::kDouble), b = predicted.to(at::kDouble);
  sums_.narrow(0, 0, genes) +=
      at::stack({a.sum(0), b.sum(0), a.square().sum(0), b.square().sum(0), (a * b).sum(0)}, 1);
  const auto da = a - a.mean(1, true), db = b - b.mean(1, true);
  const auto a2 = da.square().sum(1), b2 = db.square().sum(1);
  auto last = sums_[genes];
  last[0] += a.size(0);
  last[1] += pearson(a2, b2, (da * db).sum(1)).sum();
  last[2] += (at::minimum(a2, b2) > kNoVariance).sum();
}

double Correlation::of_genes() const {
  const auto genes = sums_.size(0) - 1;
  const auto s = sums_.narrow(0, 0, genes) / at::clamp_min(sums_[genes][0], 1);
  const auto column = [&](std::int64_t k) { return s.select(1, k); };
  const auto a2 = column(2) - column(0).square(), b2 = column(3) - column(1).square();
  const auto r = pearson(a2, b2, column(4) - column(0) * column(1));
  return ((r * a2).sum() / a2.sum()).item<double>();
}

double Correlation::of_samples() const {
  const auto last = sums_[-1];
  return (last[1] / last[2]).item<double>();
}

}  // namespace cellmill::metrics
