#include "metrics/calibration.h"

#include <ATen/ATen.h>

namespace cellmill::metrics {
namespace {
constexpr std::int64_t kBins = 10;
}

Calibration::Calibration(at::Device device)
    : bins_(at::zeros({3, kBins}, at::TensorOptions(at::kDouble).device(device))) {}

void Calibration::update(const at::Tensor& truth, const at::Tensor& probabilities) {
  const auto [confidence, predicted] = probabilities.to(at::kDouble).max(1);
  const auto known = truth.ge(0).to(at::kDouble);
  const auto bin = at::clamp((confidence * kBins).to(at::kLong), 0, kBins - 1);
  bins_[0].index_add_(0, bin, known);
  bins_[1].index_add_(0, bin, known * confidence);
  bins_[2].index_add_(0, bin, known * predicted.eq(truth));
}

double Calibration::error() const {
  return (bins_[1] - bins_[2]).abs().sum().item<double>() / bins_[0].sum().item<double>();
}

}  // namespace cellmill::metrics
