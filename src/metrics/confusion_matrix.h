#pragma once
// Counts of (true, predicted) classes: accuracy and macro-F1 of one field. Cells without a known
// class (-1) count nothing. States of several ranks or batches merge by addition, in any order.
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cellmill::metrics {

class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::int64_t classes);
  /// Both [cells] int64 on the host.
  void update(const at::Tensor& predicted, const at::Tensor& truth);
  /// [classes, classes] float64, rows are the truth; shares its storage with this object.
  at::Tensor state() const { return counts_; }
  void merge(const at::Tensor& state);
  /// Right cells / known cells; 0 if none is known.
  double accuracy() const;
  /// Mean F1 over the classes that occur in truth or prediction (as scikit-learn's macro average
  /// over present labels).
  double macro_f1() const;

 private:
  at::Tensor counts_;
};

}  // namespace cellmill::metrics
