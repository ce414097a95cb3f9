#pragma once
// How likely counts are under a decoder's output, as pure functions. Every result is [B], the
// negative logarithm summed over genes. The multinomial one: nn/multinomial.h.
#include <ATen/core/Tensor.h>

namespace cellmill::models {

/// y [B, G] about `mean` with learned variances, log_variance [G].
at::Tensor normal_nll(const at::Tensor& y, const at::Tensor& mean, const at::Tensor& log_variance);

/// Negative binomial of mean max(sum of counts, 1) * softmax(logits) and dispersion exp(log_theta).
at::Tensor negative_binomial_nll(const at::Tensor& counts, const at::Tensor& logits,
                                 const at::Tensor& log_theta);

/// [B]: KL of diagonal Gaussians, first from second.
at::Tensor gaussian_kl(const at::Tensor& mean, const at::Tensor& log_variance,
                       const at::Tensor& prior_mean, const at::Tensor& prior_log_variance);

/// [B]: cross-entropy against the uniform distribution over a row's words; 0 where it has none.
at::Tensor words_cross_entropy(const at::Tensor& logits, const at::Tensor& multi_hot);

}  // namespace cellmill::models
