#pragma once
// Cells as CSR, and what the first layer needs of them.
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cellmill::nn {

/// CSR (indptr [B+1], indices [nnz] int64, values [nnz]) -> dense [B, columns] of `dtype` on the
/// device of `values`.
at::Tensor densify(const at::Tensor& indptr, const at::Tensor& indices, const at::Tensor& values,
                   std::int64_t columns, at::ScalarType dtype);

}  // namespace cellmill::nn
