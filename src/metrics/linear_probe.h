#pragma once
// Can labels be read off a representation by a linear map? A sample of the cells is kept, of a size
// that does not grow, and at the end one half of it is fitted by linear discriminant analysis
// (equal priors, pooled covariance) and the other half read: balanced accuracy. Which cells are
// kept is a function of their numbers, so that parts of the cells add up to the whole.
#include <ATen/core/Tensor.h>

namespace cellmill::metrics {

class LinearProbe {
 public:
  /// Cells with `width` values and one label for each of `fields`.
  LinearProbe(std::int64_t width, std::int64_t fields);
  LinearProbe(LinearProbe&&) = default;  ///< no copies: two would share their sample
  /// `cells` [B] their numbers, each given once in all; `values` [B, width]; `labels` [B, fields]
  /// int64, -1 where missing. On the host.
  void update(const at::Tensor& cells, const at::Tensor& values, const at::Tensor& labels);
  /// float64 [levels, slots, 1 + width + fields]; adds over parts of the cells.
  at::Tensor state() const { return sample_; }

  struct Value {
    double accuracy = 0;  ///< balanced over classes; NaN with fewer than two classes
    double chance = 0;    ///< one over the classes
  };
  /// Of one field, from the values of columns [begin, begin + count). Classes with fewer than four
  /// cells in either half are left out.
  Value value(std::int64_t field, std::int64_t begin, std::int64_t count) const;

 private:
  std::int64_t width_;
  at::Tensor sample_;
};

}  // namespace cellmill::metrics
