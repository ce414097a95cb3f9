#include "nn/sparse.h"

#include <ATen/ATen.h>

namespace cellmill::nn {

at::Tensor densify(const at::Tensor& indptr, const at::Tensor& indices, const at::Tensor& values,
                   std::int64_t columns, at::ScalarType dtype) {
  const std::int64_t rows = indptr.size(0) - 1;
  const auto lengths = indptr.slice(0, 1) - indptr.slice(0, 0, rows);
  const auto row = at::repeat_interleave(lengths);
  auto dense = at::zeros({rows, columns}, values.options().dtype(dtype));
  dense.put_(row * columns + indices, values.to(dtype));
  return dense;
}

}  // namespace cellmill::nn
