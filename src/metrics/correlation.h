#pragma once
// Pearson correlations of true and predicted expression, from sums that add over batches and ranks:
// of genes over samples (mean weighted by the gene's true variance), and of samples over genes
// (plain mean).
#include <ATen/core/Tensor.h>

namespace cellmill::metrics {

class Correlation {
 public:
  explicit Correlation(std::int64_t genes, at::Device device = at::kCPU);
  Correlation(Correlation&&) = default;  ///< no copies: two would share their sums
  /// [cells, genes] each. A sample without variance in either does not count.
  void update(const at::Tensor& truth, const at::Tensor& predicted);
  /// float64 [genes + 1, 5]: a gene's sums of truth, prediction, their squares and product; last
  /// row: cells, sum of the samples' correlations, samples counted.
  at::Tensor state() const { return sums_; }
  double of_genes() const;  ///< NaN without a gene that varies
  double of_samples() const;

 private:
  at::Tensor sums_;
};

}  // namespace cellmill::metrics
