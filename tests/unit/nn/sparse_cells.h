#pragma once
// Cells for tests of products over genes.
#include <ATen/ATen.h>

#include "nn/sparse.h"

namespace cellmill::nn {

inline Csr sparse(const at::Tensor& dense) {
  const auto entries = dense.nonzero();
  auto indptr = at::zeros({dense.size(0) + 1}, at::kLong);
  indptr.slice(0, 1).copy_((dense != 0).sum(1).cumsum(0));
  return {indptr, entries.select(1, 1).to(at::kInt).contiguous(), dense.masked_select(dense != 0),
          dense.size(1)};
}

inline at::Tensor cells(std::int64_t rows, std::int64_t genes, double density,
                        at::ScalarType dtype) {
  const auto x = at::rand({rows, genes}, dtype);
  return at::where(x < density, x + 0.5, at::zeros_like(x));
}

/// Relative norm.
inline double distance(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / (b.norm() + 1e-30)).item<double>();
}

}  // namespace cellmill::nn
