#include "nn/sparse.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "nn/sparse_kernels.h"

namespace cellmill::nn {
namespace {

bool has_kernel(const Csr& x, const at::Tensor& dense) {
  return dense.is_cpu() && dense.scalar_type() == at::kFloat &&
         x.values.scalar_type() == at::kFloat && dense.size(1) > 0;
}

/// Row numbers that cut [0, rows) into `parts` of about as many entries each.
std::vector<std::int64_t> cuts(const std::int64_t* indptr, std::int64_t rows, std::int64_t parts) {
  std::vector<std::int64_t> cut(static_cast<std::size_t>(parts) + 1, rows);
  for (std::int64_t p = 0; p < parts; ++p) {
    const auto wanted = indptr[0] + (indptr[rows] - indptr[0]) * p / parts;
    cut[static_cast<std::size_t>(p)] = std::lower_bound(indptr, indptr + rows, wanted) - indptr;
  }
  cut[0] = 0;
  return cut;
}

void multiply_rows(const Rows& x, std::int64_t rows, const at::Tensor& dense, at::Tensor& out) {
  const auto* m = dense.const_data_ptr<float>();
  auto* y = out.mutable_data_ptr<float>();
  const auto m_stride = dense.stride(0), y_stride = out.stride(0), columns = dense.size(1);
  const auto parts = std::min<std::int64_t>(at::get_num_threads(), std::max<std::int64_t>(rows, 1));
  const auto cut = cuts(x.indptr, rows, parts);
  at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto part = static_cast<std::size_t>(begin); part < static_cast<std::size_t>(end); ++part)
      for (std::int64_t c = 0; c < columns; c += kPanel)
        multiply_panel(x, cut[part], cut[part + 1], m + c, m_stride, std::min(kPanel, columns - c),
                       y + c, y_stride);
  });
}

struct Transpose {
  std::vector<std::int64_t> indptr;
  std::vector<std::int32_t> indices;
  std::vector<float> values;
};

/// Into `t`, whose capacity is kept from batch to batch.
void transpose(const Csr& x, const std::int32_t* column, Transpose& t) {
  const auto* indptr = x.indptr.const_data_ptr<std::int64_t>();
  const auto* value = x.values.const_data_ptr<float>();
  const auto entries = static_cast<std::size_t>(x.values.numel());
  t.indptr.assign(static_cast<std::size_t>(x.columns) + 1, 0);
  t.indices.resize(entries);
  t.values.resize(entries);
  for (std::size_t k = 0; k < entries; ++k) ++t.indptr[static_cast<std::size_t>(column[k])];
  std::exclusive_scan(t.indptr.begin(), t.indptr.end(), t.indptr.begin(), std::int64_t{0});
  for (std::int64_t row = 0; row < x.rows(); ++row) {
    for (auto k = indptr[row]; k < indptr[row + 1]; ++k) {
      const auto at = static_cast<std::size_t>(t.indptr[static_cast<std::size_t>(column[k])]++);
      t.indices[at] = static_cast<std::int32_t>(row);
      t.values[at] = value[k];
    }
  }
  std::rotate(t.indptr.begin(), t.indptr.end() - 1, t.indptr.end());
  t.indptr[0] = 0;
}

}  // namespace

at::Tensor densify(const Csr& x, at::ScalarType dtype) {
  const auto lengths = x.indptr.slice(0, 1) - x.indptr.slice(0, 0, x.rows());
  const auto row = at::repeat_interleave(lengths);
  auto dense = at::zeros({x.rows(), x.columns}, x.values.options().dtype(dtype));
  dense.put_(row * x.columns + x.indices, x.values.to(dtype));
  return dense;
}

at::Tensor multiply(const Csr& x, const at::Tensor& dense) {
  if (!has_kernel(x, dense)) return at::mm(densify(x, dense.scalar_type()), dense);
  const auto indices = x.indices.to(at::kInt);
  auto out = at::empty({x.rows(), dense.size(1)}, dense.options());
  multiply_rows({x.indptr.const_data_ptr<std::int64_t>(), indices.const_data_ptr<std::int32_t>(),
                 x.values.const_data_ptr<float>()},
                x.rows(), dense, out);
  return out;
}

void multiply_transposed(const Csr& x, const at::Tensor& dense, at::Tensor& out) {
  if (!has_kernel(x, dense)) {
    out.copy_(at::mm(densify(x, dense.scalar_type()).t(), dense));
    return;
  }
  thread_local Transpose t;
  const auto indices = x.indices.to(at::kInt);
  transpose(x, indices.const_data_ptr<std::int32_t>(), t);
  multiply_rows({t.indptr.data(), t.indices.data(), t.values.data()}, x.columns, dense, out);
}

}  // namespace cellmill::nn
