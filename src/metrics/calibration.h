#pragma once
// Expected calibration error of one field's probabilities: by how much confidence and accuracy
// differ, over ten bins of confidence, weighted by cells.
#include <ATen/core/Tensor.h>

namespace cellmill::metrics {

class Calibration {
 public:
  explicit Calibration(at::Device device = at::kCPU);
  Calibration(Calibration&&) = default;  ///< no copies: two would share their sums
  /// `truth` [cells] int64, -1 where missing: those cells do not count. `probabilities` [cells, C].
  void update(const at::Tensor& truth, const at::Tensor& probabilities);
  at::Tensor state() const { return bins_; }  ///< float64 [3, bins]: cells, confidence, hits
  double error() const;                       ///< NaN without cells

 private:
  at::Tensor bins_;
};

}  // namespace cellmill::metrics
