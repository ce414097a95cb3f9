#pragma once
// How far the confidence of one field's probabilities is from their accuracy, at a grid of
// temperatures T (probabilities are softmax(logits / T)): the one of the lowest negative log
// likelihood is the field's temperature (Guo, Pleiss, Sun, Weinberger, ICML 2017). Expected
// calibration error (ECE): over ten bins of confidence, weighted by cells.
#include <ATen/core/Tensor.h>

namespace cellmill::metrics {

class Calibration {
 public:
  explicit Calibration(at::Device device = at::kCPU);
  Calibration(Calibration&&) = default;  ///< no copies: two would share their sums
  /// `truth` [cells] int64, -1 where missing: those cells do not count. `logits` [cells, C].
  void update(const at::Tensor& truth, const at::Tensor& logits);
  /// float64 [temperatures, 4, bins]: cells, confidence, hits, and in the first bin of the last row
  /// the negative log likelihood.
  at::Tensor state() const { return sums_; }
  /// From 1/4 to 8 in steps of a quarter octave; 1 without cells.
  double temperature() const;
  double error() const;           ///< ECE at that temperature; NaN without cells
  double unscaled_error() const;  ///< at temperature 1

 private:
  double error_at(std::int64_t place) const;
  std::int64_t best() const;
  at::Tensor sums_;
};

}  // namespace cellmill::metrics
