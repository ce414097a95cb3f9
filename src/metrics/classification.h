#pragma once
// Accuracy and macro-F1 of one field's classes, from the margins and the diagonal of the confusion
// matrix (its other cells are not kept: a field may have thousands of classes).
#include <ATen/core/Tensor.h>

namespace cellmill::metrics {

class Classification {
 public:
  explicit Classification(std::int64_t classes, at::Device device = at::kCPU);
  Classification(Classification&&) = default;  ///< no copies: two would share their sums
  /// `truth` [cells] int64, -1 where missing: those cells do not count. `predicted` [cells] int64
  /// in [0, classes).
  void update(const at::Tensor& truth, const at::Tensor& predicted);
  at::Tensor state() const { return counts_; }  ///< float64 [3, classes]: hits, true, predicted
  void merge(const at::Tensor& state) { counts_ += state; }
  void reset() { counts_.zero_(); }

  struct Value {
    std::int64_t cells = 0;
    double accuracy = 0;  ///< NaN without cells, as is macro_f1
    double macro_f1 = 0;  ///< mean F1 over classes that occur in truth or prediction (scikit-learn)
  };
  Value value() const;

 private:
  at::Tensor counts_;
};

}  // namespace cellmill::metrics
