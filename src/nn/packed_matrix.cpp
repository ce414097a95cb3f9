#include "nn/packed_matrix.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "base/unset_vector.h"
#include "nn/huge_pages.h"
#include "nn/sparse_kernels.h"

namespace cellmill::nn {
namespace {

/// Rows of a panel whose 32 kB stay in the first-level cache; rows of x that share its reading,
/// few enough for their sums to stay in the second.
constexpr std::int64_t kStrip = 128, kRows = 128;

std::int64_t panels_of(std::int64_t columns) { return (columns + kPanel - 1) / kPanel; }

/// Of 64 bytes, in so many rows of a panel.
std::int64_t lines_of(std::int64_t rows) {
  return std::clamp<std::int64_t>(rows, 0, kStrip) * kPanel / 16;
}

struct Sums {
  UnsetVector<float> values;  ///< [panels, rows, kPanel]
  std::int64_t rows = 0;

  void clear(std::int64_t panels, std::int64_t of) {
    rows = of;
    values.resize(panels * rows * kPanel);
    std::fill(values.begin(), values.end(), 0.f);
  }
  float* panel(std::int64_t panel) { return values.data() + panel * rows * kPanel; }

  /// To rows `begin`... of out's columns of a panel.
  void write(const float* sum, const float* bias, std::int64_t panel, std::int64_t begin,
             const at::Tensor& out) const {
    const auto width = std::min(kPanel, out.size(1) - panel * kPanel);
    for (std::int64_t row = 0; row < rows; ++row, sum += kPanel) {
      auto* to = out.mutable_data_ptr<float>() + (begin + row) * out.stride(0) + panel * kPanel;
      for (std::int64_t c = 0; c < width; ++c) to[c] = sum[c] + bias[panel * kPanel + c];
    }
  }
};

/// Rows [begin, end) of x times the panels [first, last).
void multiply_sparse(const Csr& x, const std::int32_t* index, std::int64_t begin, std::int64_t end,
                     const PackedMatrix& matrix, std::int64_t first, std::int64_t last,
                     Sums& sums) {
  const auto* indptr = x.indptr.const_data_ptr<std::int64_t>();
  const auto* value = x.values.const_data_ptr<float>();
  std::vector<std::int64_t> from(indptr + begin, indptr + end), to(from);
  for (std::int64_t strip = 0; strip < matrix.rows(); strip += kStrip) {
    for (std::size_t row = 0; row < to.size(); ++row) {
      const auto stop = indptr[begin + static_cast<std::int64_t>(row) + 1];
      from[row] = to[row];
      while (to[row] < stop && index[to[row]] < strip + kStrip) ++to[row];
    }
    for (auto panel = first; panel < last; ++panel) {
      const bool wrap = panel + 1 == last;
      const auto place = strip + (wrap ? kStrip : 0);
      const float* next = matrix.panel(wrap ? first : panel + 1) + place * kPanel;
      multiply_entries({index, value, from.data(), to.data()}, end - begin, matrix.panel(panel),
                       next, lines_of(matrix.rows() - place), sums.panel(panel - first));
    }
  }
}

/// `run(first, last)` over panels, by the threads.
template <class Run>
void for_panels(const PackedMatrix& matrix, const Run& run) {
  const auto panels = panels_of(matrix.columns());
  const std::int64_t parts = std::min<std::int64_t>(at::get_num_threads(), panels);
  at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto part = begin; part < end; ++part)
      run(panels * part / parts, panels * (part + 1) / parts);
  });
}

}  // namespace

PackedMatrix::PackedMatrix(const at::Tensor& matrix) : columns_(matrix.size(1)) {
  panels_ = huge_empty({panels_of(columns_), matrix.size(0), kPanel}, matrix.options());
  at::parallel_for(0, panels_.size(0), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto p = begin; p < end; ++p) {
      const auto width = std::min(kPanel, columns_ - p * kPanel);
      panels_[p].narrow(1, width, kPanel - width).zero_();
      panels_[p].narrow(1, 0, width).copy_(matrix.narrow(1, p * kPanel, width));
    }
  });
}

bool PackedMatrix::fits(const at::Tensor& matrix) {
  return matrix.is_cpu() && matrix.scalar_type() == at::kFloat && matrix.numel() > 0;
}

const float* PackedMatrix::panel(std::int64_t panel) const {
  return panels_.const_data_ptr<float>() + panel * rows() * kPanel;
}

at::Tensor multiply(const Csr& x, const PackedMatrix& matrix, const at::Tensor& bias) {
  const auto indices = x.indices.to(at::kInt);
  auto out = at::empty({x.rows(), matrix.columns()}, x.values.options());
  const auto constant = bias.contiguous();
  for_panels(matrix, [&](std::int64_t first, std::int64_t last) {
    thread_local Sums sums;
    for (std::int64_t row = 0; row < x.rows(); row += kRows) {
      const auto end = std::min(row + kRows, x.rows());
      sums.clear(last - first, end - row);
      multiply_sparse(x, indices.const_data_ptr<std::int32_t>(), row, end, matrix, first, last,
                      sums);
      for (auto panel = first; panel < last; ++panel)
        sums.write(sums.panel(panel - first), constant.const_data_ptr<float>(), panel, row, out);
    }
  });
  return out;
}

at::Tensor multiply(const at::Tensor& x, const PackedMatrix& matrix, const at::Tensor& bias) {
  const auto cells = x.contiguous(), constant = bias.contiguous();
  const auto depth = matrix.rows();
  auto out = at::empty({x.size(0), matrix.columns()}, x.options());
  for_panels(matrix, [&](std::int64_t first, std::int64_t last) {
    thread_local Sums sums;
    for (std::int64_t row = 0; row < x.size(0); row += kRows) {
      const auto* from = cells.const_data_ptr<float>() + row * depth;
      for (auto panel = first; panel < last; ++panel) {
        sums.clear(1, std::min(kRows, x.size(0) - row));
        for (std::int64_t strip = 0; strip < depth; strip += kStrip)
          multiply_dense(from + strip, depth, sums.rows, std::min(kStrip, depth - strip),
                         matrix.panel(panel) + strip * kPanel,
                         matrix.panel(panel) + (strip + kStrip) * kPanel,
                         panel + 1 < last ? lines_of(kStrip) : lines_of(depth - strip - kStrip),
                         sums.panel(0));
        sums.write(sums.panel(0), constant.const_data_ptr<float>(), panel, row, out);
      }
    }
  });
  return out;
}

}  // namespace cellmill::nn
