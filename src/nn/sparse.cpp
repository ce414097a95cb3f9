#include "nn/sparse.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/unset_vector.h"
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

/// CSR, or CSC read as the CSR of the transpose.
struct Rows {
  const std::int64_t* indptr;
  const std::int32_t* indices;
  const float* values;
};

/// Rows of the dense matrix in a tile: a block's entries in it are sorted once for all panels.
constexpr std::int64_t kTile = 8 * kStrip;

/// The entries of a block of rows in one tile, by strip, then by row.
struct Tile {
  UnsetVector<StripEntry> entries;
  std::vector<std::int32_t> counts;  ///< [strips, rows]

  /// `next` [rows]: a row's first entry that is not in an earlier tile; moved behind this one.
  void sort(const Rows& x, std::int64_t begin, std::vector<std::int64_t>& next, std::int64_t from,
            std::int64_t to) {
    const auto rows = next.size();
    counts.assign(static_cast<std::size_t>((to - from + kStrip - 1) / kStrip) * rows, 0);
    std::vector<std::int64_t> first(next);
    std::size_t strip_first[kTile / kStrip + 1] = {};
    for (std::size_t r = 0; r < rows; ++r) {
      const auto end = x.indptr[begin + static_cast<std::int64_t>(r) + 1];
      auto k = first[r];
      for (; k < end && x.indices[k] < to; ++k) {
        const auto strip = static_cast<std::size_t>((x.indices[k] - from) / kStrip);
        ++counts[strip * rows + r];
        ++strip_first[strip + 1];
      }
      next[r] = k;
    }
    for (std::size_t s = 1; s < std::size(strip_first); ++s) strip_first[s] += strip_first[s - 1];
    entries.resize(strip_first[kTile / kStrip]);
    for (std::size_t r = 0; r < rows; ++r)
      for (auto k = first[r]; k < next[r]; ++k) {
        const auto place = x.indices[k] - from;
        entries[strip_first[place / kStrip]++] = {
            static_cast<std::int32_t>(place % kStrip * kPanel), x.values[k]};
      }
  }
};

/// Rows [begin, end) of x times dense. Sums lie panel by panel while they grow: rows of `out` are
/// often a multiple of the cache's period apart.
void multiply_block(const Rows& x, std::int64_t begin, std::int64_t end, const at::Tensor& dense,
                    const at::Tensor& out) {
  const auto* m = dense.const_data_ptr<float>();
  const auto columns = dense.size(1), rows = end - begin, panels = (columns + kPanel - 1) / kPanel;
  thread_local UnsetVector<float> panel, sums;
  thread_local Tile tile;
  panel.resize(static_cast<std::size_t>(kStrip * kPanel));
  sums.resize(static_cast<std::size_t>(panels * rows * kPanel));
  std::fill(sums.begin(), sums.end(), 0.f);
  std::vector<std::int64_t> next(x.indptr + begin, x.indptr + end);
  for (std::int64_t from = 0; from < dense.size(0); from += kTile) {
    const auto to = std::min(dense.size(0), from + kTile);
    tile.sort(x, begin, next, from, to);
    for (std::int64_t p = 0; p < panels; ++p) {
      const StripEntry* entries = tile.entries.data();
      const std::int32_t* counts = tile.counts.data();
      for (auto strip = from; strip < to; strip += kStrip, counts += rows) {
        pack_panel(m + p * kPanel, dense.stride(0), strip, std::min(to, strip + kStrip),
                   std::min(kPanel, columns - p * kPanel), panel.data());
        entries =
            multiply_strip(entries, counts, rows, panel.data(), sums.data() + p * rows * kPanel);
      }
    }
  }
  for (std::int64_t p = 0; p < panels; ++p)
    for (std::int64_t row = 0; row < rows; ++row)
      std::copy_n(sums.data() + (p * rows + row) * kPanel, std::min(kPanel, columns - p * kPanel),
                  out.mutable_data_ptr<float>() + (begin + row) * out.stride(0) + p * kPanel);
}

void multiply_rows(const Rows& x, std::int64_t rows, const at::Tensor& dense, at::Tensor& out) {
  constexpr std::int64_t kBlock = 1024, kMost = 4096;  // on average; where rows are almost empty
  const auto blocks = (rows + kBlock - 1) / kBlock;
  const auto cut = cuts(x.indptr, rows, blocks);
  // With fewer blocks than threads these share the columns, not the rows: each reads its own part
  // of the dense matrix.
  const auto groups = blocks > 0 ? (at::get_num_threads() + blocks - 1) / blocks : 0;
  const auto columns = dense.size(1), panels = (columns + kPanel - 1) / kPanel;
  at::parallel_for(0, blocks * groups, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end; ++item) {
      const auto block = static_cast<std::size_t>(item / groups);
      const auto group = item % groups;
      const auto from = panels * group / groups * kPanel,
                 to = std::min(columns, panels * (group + 1) / groups * kPanel);
      for (auto row = cut[block]; row < cut[block + 1] && from < to; row += kMost)
        multiply_block(x, row, std::min(row + kMost, cut[block + 1]), dense.slice(1, from, to),
                       out.slice(1, from, to));
    }
  });
}

struct Transpose {
  std::vector<std::int64_t> indptr;
  UnsetVector<std::int32_t> indices;
  UnsetVector<float> values;
};

/// Into `t`, whose capacity is kept from batch to batch.
void transpose(const Csr& x, const std::int32_t* column, Transpose& t) {
  const auto* indptr = x.indptr.const_data_ptr<std::int64_t>();
  const auto* value = x.values.const_data_ptr<float>();
  const auto entries = static_cast<std::size_t>(x.values.numel());
  const auto columns = static_cast<std::size_t>(x.columns);
  const std::int64_t parts = at::get_num_threads();
  const auto cut = cuts(indptr, x.rows(), parts);
  std::vector<std::vector<std::int64_t>> next(static_cast<std::size_t>(parts));
  const auto for_entries = [&](const auto& run) {
    at::parallel_for(0, parts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto part = static_cast<std::size_t>(begin); part < static_cast<std::size_t>(end);
           ++part) {
        next[part].resize(columns);
        for (auto row = cut[part]; row < cut[part + 1]; ++row)
          for (auto k = indptr[row]; k < indptr[row + 1]; ++k)
            run(row, k, next[part][static_cast<std::size_t>(column[k])]);
      }
    });
  };
  for_entries([](std::int64_t, std::int64_t, std::int64_t& count) { ++count; });
  t.indptr.assign(1, 0);
  for (std::size_t c = 0; c < columns; ++c) {
    auto at = t.indptr.back();
    for (auto& of_part : next) at += std::exchange(of_part[c], at);
    t.indptr.push_back(at);
  }
  t.indices.resize(entries);
  t.values.resize(entries);
  for_entries([&](std::int64_t row, std::int64_t k, std::int64_t& to) {
    const auto at = static_cast<std::size_t>(to++);
    t.indices[at] = static_cast<std::int32_t>(row);
    t.values[at] = value[k];
  });
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
