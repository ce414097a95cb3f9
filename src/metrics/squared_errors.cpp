#include "metrics/squared_errors.h"

#include <ATen/ATen.h>

#include "base/error.h"

namespace cellmill::metrics {
namespace {

at::Tensor share_explained(const at::Tensor& error, const at::Tensor& baseline) {
  return (1 - error / baseline).masked_fill(baseline.le(0), NAN);
}

}  // namespace

SquaredErrors::SquaredErrors(std::int64_t predictors, std::int64_t genes, at::Device device)
    : predictors_(predictors),
      genes_(genes),
      sums_(at::zeros({predictors + 2, genes + 1}, at::TensorOptions(at::kDouble).device(device))) {
}

void SquaredErrors::update(const at::Tensor& truth, const std::vector<at::Tensor>& predictions) {
  if (static_cast<std::int64_t>(predictions.size()) != predictors_)
    throw InternalError("SquaredErrors: " + std::to_string(predictions.size()) +
                        " predictions for " + std::to_string(predictors_) + " predictors");
  const auto row = [&](std::int64_t i) { return sums_[i].narrow(0, 0, genes_); };
  for (std::int64_t p = 0; p < predictors_; ++p)
    row(p) += (truth - predictions[p]).square_().sum(0, false, at::kDouble);
  const at::Tensor wide = truth.to(at::kDouble);
  row(predictors_) += wide.sum(0);
  row(predictors_ + 1) += wide.square().sum(0);
  sums_.select(1, genes_) += static_cast<double>(truth.size(0));
}

at::Tensor SquaredErrors::errors(std::int64_t predictor) const {
  return sums_[predictor].narrow(0, 0, genes_);
}

at::Tensor SquaredErrors::errors_of_own_mean() const {
  return (errors(predictors_ + 1) - errors(predictors_).square() / cells()).clamp_min(0);
}

double SquaredErrors::cells() const { return sums_[0][genes_].item<double>(); }

SquaredErrors::Value SquaredErrors::value() const {
  const double values = cells() * static_cast<double>(genes_);
  Value value{
      static_cast<std::int64_t>(cells()), {}, errors_of_own_mean().sum().item<double>() / values};
  for (std::int64_t p = 0; p < predictors_; ++p)
    value.mean.push_back(errors(p).sum().item<double>() / values);
  return value;
}

double SquaredErrors::r2(std::int64_t predictor, std::int64_t baseline) const {
  return share_explained(errors(predictor).sum(), errors(baseline).sum()).item<double>();
}

at::Tensor SquaredErrors::r2_by_gene(std::int64_t predictor, std::int64_t baseline) const {
  return share_explained(errors(predictor), errors(baseline));
}

double SquaredErrors::r2(std::int64_t predictor) const {
  return share_explained(errors(predictor).sum(), errors_of_own_mean().sum()).item<double>();
}

at::Tensor SquaredErrors::r2_by_gene(std::int64_t predictor) const {
  return share_explained(errors(predictor), errors_of_own_mean());
}

}  // namespace cellmill::metrics
