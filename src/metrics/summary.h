#pragma once
// Mean, least and greatest of a quantity, column by column: losses, head influences.
#include <ATen/core/Tensor.h>

#include <vector>

namespace cellmill::metrics {

class Summary {
 public:
  explicit Summary(std::int64_t columns, at::Device device = at::kCPU);
  Summary(Summary&&) = default;  ///< no copies: two would share their sums
  /// `values` [n, columns] of any number type. A NaN stays visible in all three.
  void update(const at::Tensor& values);
  at::Tensor state() const { return sums_; }  ///< float64 [4, columns]: count, sum, min, max
  void merge(const at::Tensor& state);
  void reset();

  struct Column {
    std::int64_t count = 0;
    double mean = 0, min = 0, max = 0;  ///< NaN, infinity, -infinity where count is 0
  };
  std::vector<Column> value() const;

 private:
  at::Tensor sums_;
};

}  // namespace cellmill::metrics
