#include "nn/sparse.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "base/unset_vector.h"
#include "nn/sparse_kernels.h"

namespace cellmill::nn {
namespace {

bool is_plain(const Csr& x) {
  return x.values.is_cpu() && x.values.scalar_type() == at::kFloat && x.values.is_contiguous() &&
         x.indptr.is_contiguous();
}

/// In eight sums, which processors make side by side.
double sum_of(const float* values, std::int64_t count) {
  constexpr std::int64_t kLanes = 8;
  std::array<double, kLanes> sums{};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += values[i + lane];
  return std::accumulate(sums.begin(), sums.end(), std::accumulate(values + i, values + count, 0.));
}

/// `run(row, first entry, last)` by the threads.
template <class Run>
void for_rows(const Csr& x, const Run& run) {
  const auto* indptr = x.indptr.const_data_ptr<std::int64_t>();
  at::parallel_for(0, x.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = begin; row < end; ++row) run(row, indptr[row], indptr[row + 1]);
  });
}

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

/// Rows of the dense matrix in a tile, for which a block's entries are sorted once for all panels,
/// and in a strip of it, which times kPanel (32 kB) stays in the first-level cache.
constexpr std::int64_t kTile = 1024, kStrip = 128;

/// The entries of a block of rows in one tile, by strip, then by row.
struct Tile {
  UnsetVector<StripEntry> entries;
  std::vector<std::int32_t> counts;  ///< [strips, rows]

  /// `next` [rows]: a row's first entry that is not in an earlier tile; moved behind this one.
  void sort(const Rows& x, std::int64_t begin, std::vector<std::int64_t>& next, std::int64_t from,
            std::int64_t to, std::int64_t strip_rows) {
    const auto rows = next.size();
    const auto strips = static_cast<std::size_t>((to - from + strip_rows - 1) / strip_rows);
    counts.assign(strips * rows, 0);
    std::vector<std::int64_t> first(next), end(strips + 1);
    for (std::size_t r = 0; r < rows; ++r) {
      const auto last = x.indptr[begin + static_cast<std::int64_t>(r) + 1];
      for (; next[r] < last && x.indices[next[r]] < to; ++next[r]) {
        const auto strip = (x.indices[next[r]] - from) / strip_rows;
        ++counts[strip * rows + r];
        ++end[strip + 1];
      }
    }
    for (std::size_t s = 1; s <= strips; ++s) end[s] += end[s - 1];
    entries.resize(end[strips]);
    for (std::size_t r = 0; r < rows; ++r)
      for (auto k = first[r]; k < next[r]; ++k) {
        const auto place = x.indices[k] - from;
        entries[end[place / strip_rows]++] = {
            static_cast<std::int32_t>(place % strip_rows * kPanel), x.values[k]};
      }
  }
};

/// Rows [begin, end) of x times dense. With several tiles sums grow panel by panel in a place of
/// their own, since rows of `out` are often a multiple of the caches' period apart; with one they
/// stay in registers, which needs no strips.
void multiply_block(const Rows& x, std::int64_t begin, std::int64_t end, const at::Tensor& dense,
                    const at::Tensor& out) {
  const auto* m = dense.const_data_ptr<float>();
  auto* y = out.mutable_data_ptr<float>() + begin * out.stride(0);
  const auto inner = dense.size(0), columns = dense.size(1), rows = end - begin,
             panels = (columns + kPanel - 1) / kPanel;
  const bool one_tile = inner <= kTile;
  const auto strip_rows = one_tile ? kTile : kStrip;
  thread_local UnsetVector<float> panel, sums;
  thread_local Tile tile;
  panel.resize(strip_rows * kPanel);
  sums.resize((one_tile ? 1 : panels) * rows * kPanel);
  std::vector<std::int64_t> next(x.indptr + begin, x.indptr + end);
  for (std::int64_t from = 0; from < inner; from += kTile) {
    const auto to = std::min(inner, from + kTile);
    tile.sort(x, begin, next, from, to, strip_rows);
    for (std::int64_t c = 0; c < columns; c += kPanel) {
      const auto width = std::min(kPanel, columns - c);
      const bool direct = one_tile && width == kPanel;
      auto* sum = direct ? y + c : sums.data() + (one_tile ? 0 : c * rows);
      const StripEntry* entries = tile.entries.data();
      const std::int32_t* counts = tile.counts.data();
      for (auto strip = from; strip < to; strip += strip_rows, counts += rows) {
        pack_panel(m + c, dense.stride(0), strip, std::min(to, strip + strip_rows), width,
                   panel.data());
        entries = multiply_strip(entries, counts, rows, panel.data(), sum,
                                 direct ? out.stride(0) : kPanel, strip > 0);
      }
      if (to == inner && !direct)
        for (std::int64_t row = 0; row < rows; ++row)
          std::copy_n(sum + row * kPanel, width, y + row * out.stride(0) + c);
    }
  }
}

void multiply_rows(const Rows& x, std::int64_t rows, const at::Tensor& dense, at::Tensor& out) {
  if (dense.size(0) == 0) out.zero_();
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

at::Tensor entry_rows(const Csr& x) {
  return at::repeat_interleave(at::diff(x.indptr), std::optional(x.values.size(0)));
}

at::Tensor row_sums(const Csr& x) {
  if (is_plain(x)) {
    auto sums = at::empty({x.rows()}, at::kDouble);
    const auto* value = x.values.const_data_ptr<float>();
    for_rows(x, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
      sums.mutable_data_ptr<double>()[row] = sum_of(value + begin, end - begin);
    });
    return sums;
  }
  return at::zeros({x.rows()}, x.values.options().dtype(at::kDouble))
      .index_add_(0, entry_rows(x), x.values.to(at::kDouble));
}

at::Tensor scaled_values(const Csr& x, const at::Tensor& factor) {
  if (!is_plain(x) || factor.scalar_type() != at::kFloat)
    return x.values.to(factor.scalar_type()) * factor.index_select(0, entry_rows(x));
  auto scaled = at::empty_like(x.values);
  const auto* value = x.values.const_data_ptr<float>();
  const auto factors = factor.contiguous();
  auto* to = scaled.mutable_data_ptr<float>();
  for_rows(x, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
    const float times = factors.const_data_ptr<float>()[row];
    for (auto k = begin; k < end; ++k) to[k] = value[k] * times;
  });
  return scaled;
}

at::Tensor densify(const Csr& x, at::ScalarType dtype) {
  auto dense = at::zeros({x.rows(), x.columns}, x.values.options().dtype(dtype));
  dense.put_(entry_rows(x) * x.columns + x.indices, x.values.to(dtype));
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
