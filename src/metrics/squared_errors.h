#pragma once
// How well expression is reconstructed, gene by gene, by several predictors at once: the model and
// the baselines that it must beat (the global mean, the mean of the cell's context, ...). R² of one
// against another is 1 - its squared error / the other's.
#include <ATen/core/Tensor.h>

#include <vector>

namespace cellmill::metrics {

class SquaredErrors {
 public:
  SquaredErrors(std::int64_t predictors, std::int64_t genes, at::Device device = at::kCPU);
  SquaredErrors(SquaredErrors&&) = default;  ///< no copies: two would share their sums
  /// `truth` [cells, genes]; each of `predictions` [cells, genes] or [genes], in the same order
  /// every time.
  void update(const at::Tensor& truth, const std::vector<at::Tensor>& predictions);
  /// float64 [predictors + 2, genes + 1]: squared errors, then sums of truth and of its square; the
  /// last column holds the number of cells.
  at::Tensor state() const { return sums_; }
  void merge(const at::Tensor& state) { sums_ += state; }
  void reset() { sums_.zero_(); }

  struct Value {
    std::int64_t cells = 0;
    std::vector<double> mean;  ///< mean squared error per value, by predictor
    double variance = 0;       ///< of the truth seen, per value: the error of its own mean
  };
  Value value() const;
  /// Over all genes together; NaN where the baseline has no error.
  double r2(std::int64_t predictor, std::int64_t baseline) const;
  at::Tensor r2_by_gene(std::int64_t predictor, std::int64_t baseline) const;  ///< float64 [genes]
  /// Against the mean of the truth that was seen, gene by gene (scikit-learn's r2_score).
  double r2(std::int64_t predictor) const;
  at::Tensor r2_by_gene(std::int64_t predictor) const;

 private:
  at::Tensor errors(std::int64_t predictor) const;
  at::Tensor errors_of_own_mean() const;
  double cells() const;
  std::int64_t predictors_, genes_;
  at::Tensor sums_;
};

}  // namespace cellmill::metrics
