#pragma once
// A matrix that is multiplied again and again, laid out once in the order in which a product reads
// it: panels of 64 columns, one behind the other, on huge pages. Products with it read its memory
// once and in order for all rows together; a row of the result does not depend on the others, bit
// for bit. On the CPU in float32.
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/panel_kernels.h"
#include "nn/sparse.h"

namespace cellmill::nn {

class PackedMatrix {
 public:
  PackedMatrix() = default;
  /// Of [K, N] with any strides; copies.
  explicit PackedMatrix(const at::Tensor& matrix);
  /// Whether there can be one of this matrix.
  static bool fits(const at::Tensor& matrix);

  bool defined() const { return panels_.defined(); }
  std::int64_t rows() const { return panels_.size(1); }
  std::int64_t columns() const { return columns_; }
  /// Of the columns [64 panel, 64 panel + 64), [K, 64], filled up with zeros.
  const float* panel(std::int64_t panel) const;

 private:
  at::Tensor panels_;  // [panels, K, 64]
  std::int64_t columns_ = 0;
};

/// x [B, K] times [K, N], plus bias [N] -> [B, N]; the same bits of the same x in both forms.
at::Tensor multiply(const Csr& x, const PackedMatrix& matrix, const at::Tensor& bias,
                    const PanelKernels& kernels = panel_kernels());
at::Tensor multiply(const at::Tensor& x, const PackedMatrix& matrix, const at::Tensor& bias,
                    const PanelKernels& kernels = panel_kernels());

}  // namespace cellmill::nn
