#include "models/factor_likelihood.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>

namespace cellmill::models {

at::Tensor normal_nll(const at::Tensor& y, const at::Tensor& mean, const at::Tensor& log_variance) {
  const auto error = (y - mean).square() * at::exp(-log_variance);
  return (std::log(2 * std::numbers::pi) + log_variance + error).sum(1) / 2;
}

at::Tensor negative_binomial_nll(const at::Tensor& counts, const at::Tensor& logits,
                                 const at::Tensor& log_theta) {
  const auto theta = at::exp(log_theta);
  const auto log_mean = at::log_softmax(logits, 1) + at::log(at::clamp_min(counts.sum(1, true), 1));
  const auto log_sum = at::logaddexp(log_theta, log_mean);
  const auto log_likelihood = at::lgamma(counts + theta) - at::lgamma(theta) -
                              at::lgamma(counts + 1) + theta * (log_theta - log_sum) +
                              counts * (log_mean - log_sum);
  return -log_likelihood.sum(1);
}

at::Tensor gaussian_kl(const at::Tensor& mean, const at::Tensor& log_variance,
                       const at::Tensor& prior_mean, const at::Tensor& prior_log_variance) {
  const auto ratio =
      (at::exp(log_variance) + (mean - prior_mean).square()) * at::exp(-prior_log_variance);
  return (prior_log_variance - log_variance + ratio - 1).sum(1) / 2;
}

at::Tensor words_cross_entropy(const at::Tensor& logits, const at::Tensor& multi_hot) {
  const auto target = multi_hot / at::clamp_min(multi_hot.sum(1, true), 1);
  return -(target * at::log_softmax(logits, 1)).sum(1);
}

}  // namespace cellmill::models
