#pragma once
// Losses as pure functions. Every result is a sum over cells, or already divided by numbers that
// are the same on all ranks, so that adding results over ranks gives the loss of the whole batch.
#include <ATen/core/Tensor.h>

namespace cellmill::nn {

/// Sum over cells with a known label of -log softmax(logits)[label]. logits [B, C], labels [B]
/// int64, -1 = unknown; 0 if none is known.
at::Tensor cross_entropy_sum(const at::Tensor& logits, const at::Tensor& labels);

/// Sum over all elements of (a - b)^2, in float32 or better.
at::Tensor squared_error_sum(const at::Tensor& a, const at::Tensor& b);

/// Population matching (ours): an unbiased estimate of sum_K (n_K / N) |E d_K|^2 for residuals d
/// [B, G] of generated cells from the mean of their population; keys [B] int64, -1 = none. Keys
/// with fewer than two cells in the global batch count nothing. `sum` [K, G] and `count` [K] are
/// the sums of d and of ones over the global batch, without gradient. The value is (1/N) sum_K
/// (|S_K|^2 - sum_i |d_i|^2) / (n_K - 1), it adds up over ranks, and so does its gradient.
at::Tensor population_matching(const at::Tensor& residual, const at::Tensor& keys,
                               const at::Tensor& sum, const at::Tensor& count);

}  // namespace cellmill::nn
