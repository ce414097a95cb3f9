#include "metrics/calibration.h"

#include <ATen/ATen.h>

#include <cmath>

namespace cellmill::metrics {
namespace {

constexpr std::int64_t kBins = 10, kTemperatures = 21, kUnscaled = 8;

double temperature_at(std::int64_t place) {
  return std::exp2(static_cast<double>(place - kUnscaled) / 4);
}

}  // namespace

Calibration::Calibration(at::Device device)
    : sums_(at::zeros({kTemperatures, 4, kBins}, at::TensorOptions(at::kDouble).device(device))) {}

void Calibration::update(const at::Tensor& truth, const at::Tensor& logits) {
  const auto rows = truth.ge(0).nonzero().squeeze(1);
  const auto known = truth.index_select(0, rows);
  const auto of_known = logits.index_select(0, rows).to(at::kDouble);
  for (std::int64_t k = 0; k < kTemperatures; ++k) {
    const auto log_p = at::log_softmax(of_known / temperature_at(k), 1);
    const auto [most, predicted] = log_p.max(1);
    const auto confidence = at::exp(most);
    const auto bin = at::clamp((confidence * kBins).to(at::kLong), 0, kBins - 1);
    auto sums = sums_[k];
    sums[0].index_add_(0, bin, at::ones_like(confidence));
    sums[1].index_add_(0, bin, confidence);
    sums[2].index_add_(0, bin, predicted.eq(known).to(at::kDouble));
    sums[3][0] -= log_p.gather(1, known.unsqueeze(1)).sum();
  }
}

std::int64_t Calibration::best() const {
  const auto loss = sums_.select(1, 3).select(1, 0);
  if (sums_[kUnscaled][0].sum().item<double>() == 0) return kUnscaled;
  return loss.argmin().item<std::int64_t>();
}

double Calibration::error_at(std::int64_t place) const {
  const auto sums = sums_[place];
  return ((sums[1] - sums[2]).abs().sum() / sums[0].sum()).item<double>();
}

double Calibration::temperature() const { return temperature_at(best()); }
double Calibration::error() const { return error_at(best()); }
double Calibration::unscaled_error() const { return error_at(kUnscaled); }

}  // namespace cellmill::metrics
