#pragma once
// Cells as CSR, and the products that a first layer over genes needs of them. On the CPU in float32
// these are own kernels (nn/sparse_kernels.h); elsewhere LibTorch's dense products, which the tests
// hold against them.
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cellmill::nn {

/// [B, columns]; indices of a row rise.
struct Csr {
  at::Tensor indptr;   ///< [B+1] int64
  at::Tensor indices;  ///< [nnz] int32 or int64
  at::Tensor values;   ///< [nnz]
  std::int64_t columns = 0;
  std::int64_t rows() const { return indptr.size(0) - 1; }
};

/// [B, columns] of `dtype` on the device of the values.
at::Tensor densify(const Csr& x, at::ScalarType dtype);

/// [nnz]: the row of each entry.
at::Tensor entry_rows(const Csr& x);

/// [B], float64.
at::Tensor row_sums(const Csr& x);

/// [nnz]: each value times its row's entry of `factor` [B], in factor's type; no gradient.
at::Tensor scaled_values(const Csr& x, const at::Tensor& factor);

/// x [B, G] times dense [G, N] -> [B, N] of dense's type. `dense` has unit stride along its rows.
/// No gradient: see nn/gene_products.h.
at::Tensor multiply(const Csr& x, const at::Tensor& dense);

/// x^T [G, B] times dense [B, N], written to every row of `out` [G, N].
void multiply_transposed(const Csr& x, const at::Tensor& dense, at::Tensor& out);

}  // namespace cellmill::nn
