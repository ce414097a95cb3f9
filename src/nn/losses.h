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

/// Sums of the rows of x [B, n] by key [B] int64 (-1 = none), and, in the last column, how many:
/// [keys, n + 1], without gradient, in x's type or float32.
at::Tensor population_sums(const at::Tensor& x, const at::Tensor& keys, std::int64_t count);

/// Population matching (ours): an unbiased estimate of sum_K (n_K / N) |E d_K|^2 for residuals d
/// [B, G] of generated cells from the mean of their population; keys [B] int64, -1 = none. Keys
/// with fewer than two cells in the global batch count nothing. `sums` are `population_sums` of d
/// over the global batch. The value is (1/N) sum_K (|S_K|^2 - sum_i |d_i|^2) / (n_K - 1), it adds
/// up over ranks, and so does its gradient.
at::Tensor population_matching(const at::Tensor& residual, const at::Tensor& keys,
                               const at::Tensor& sums);

/// The means of populations as generated cells u D^T see them.
struct FactoredMeans {
  at::Tensor gram;      ///< D^T D [K, K]
  at::Tensor products;  ///< means times D [populations, K]
  at::Tensor norms;     ///< squared norms of the means [populations]
};

/// The same for residuals d = u D^T - mean that are given by their coefficients u [B, K]; `sums`
/// are `population_sums` of u over the global batch.
at::Tensor population_matching(const at::Tensor& coefficients, const at::Tensor& keys,
                               const at::Tensor& sums, const FactoredMeans& means);

}  // namespace cellmill::nn
