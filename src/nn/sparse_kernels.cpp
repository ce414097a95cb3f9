#include "nn/sparse_kernels.h"

#include "base/instruction_sets.h"

namespace cellmill::nn {
namespace {

typedef float Lane __attribute__((vector_size(32), aligned(4), may_alias));
constexpr std::int64_t kLane = 8, kLanes = kPanel / kLane;

typedef float Wide __attribute__((vector_size(64), aligned(4), may_alias));
constexpr std::int64_t kWide = 16;

/// Part `part` of `parts` of the lines.
[[gnu::always_inline]] inline void fetch_ahead(const float* next, std::int64_t ahead,
                                               std::int64_t part, std::int64_t parts) {
  for (auto line = ahead * part / parts, end = ahead * (part + 1) / parts; line < end; ++line)
    __builtin_prefetch(next + line * kWide, 0, 2);
}

/// Of two Wide columns, `Rows` rows: with four their sums take half of 32 registers.
template <int Rows>
[[gnu::always_inline]] inline void multiply_tile(const float* x, std::int64_t stride,
                                                 std::int64_t depth, const float* panel, float* y) {
  Wide sum[Rows][2];
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r)
    for (int c = 0; c < 2; ++c) sum[r][c] = reinterpret_cast<const Wide*>(y + r * kPanel)[c];
  for (std::int64_t k = 0; k < depth; ++k, panel += kPanel) {
    const Wide* from = reinterpret_cast<const Wide*>(panel);
    const Wide first = from[0], second = from[1];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      const float v = x[r * stride + k];
      sum[r][0] += v * first;
      sum[r][1] += v * second;
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < Rows; ++r)
    for (int c = 0; c < 2; ++c) reinterpret_cast<Wide*>(y + r * kPanel)[c] = sum[r][c];
}

}  // namespace

CELLMILL_CLONES
void pack_panel(const float* dense, std::int64_t stride, std::int64_t begin, std::int64_t end,
                std::int64_t columns, float* panel) {
  for (std::int64_t row = begin; row < end; ++row, panel += kPanel) {
    const float* from = dense + row * stride;
    for (std::int64_t j = 0; j < columns; ++j) panel[j] = from[j];
    for (std::int64_t j = columns; j < kPanel; ++j) panel[j] = 0;
  }
}

CELLMILL_CLONES
const StripEntry* multiply_strip(const StripEntry* entries, const std::int32_t* counts,
                                 std::int64_t rows, const float* panel, float* y,
                                 std::int64_t y_stride, bool add) {
  for (std::int64_t row = 0; row < rows; ++row, y += y_stride) {
    const StripEntry* end = entries + counts[row];
    if (add && entries == end) continue;
    Lane* to = reinterpret_cast<Lane*>(y);
    Lane sum[kLanes] = {};
    if (add) {
#pragma GCC unroll 8
      for (int lane = 0; lane < kLanes; ++lane) sum[lane] = to[lane];
    }
    for (; entries < end; ++entries) {
      const Lane* from = reinterpret_cast<const Lane*>(panel + entries->place);
      const float v = entries->value;
#pragma GCC unroll 8
      for (int lane = 0; lane < kLanes; ++lane) sum[lane] += v * from[lane];
    }
#pragma GCC unroll 8
    for (int lane = 0; lane < kLanes; ++lane) to[lane] = sum[lane];
  }
  return entries;
}

CELLMILL_CLONES
void multiply_entries(const RowEntries& x, std::int64_t rows, const float* panel, const float* next,
                      std::int64_t ahead, float* y) {
  for (std::int64_t row = 0; row < rows; ++row, y += kPanel) {
    fetch_ahead(next, ahead, row, rows);
    const auto end = x.end[row];
    if (x.begin[row] == end) continue;
    Lane* to = reinterpret_cast<Lane*>(y);
    Lane sum[kLanes];
#pragma GCC unroll 8
    for (int lane = 0; lane < kLanes; ++lane) sum[lane] = to[lane];
    for (auto k = x.begin[row]; k < end; ++k) {
      const Lane* from = reinterpret_cast<const Lane*>(panel + x.index[k] * kPanel);
      const float v = x.value[k];
#pragma GCC unroll 8
      for (int lane = 0; lane < kLanes; ++lane) sum[lane] += v * from[lane];
    }
#pragma GCC unroll 8
    for (int lane = 0; lane < kLanes; ++lane) to[lane] = sum[lane];
  }
}

CELLMILL_CLONES
void multiply_dense(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t depth,
                    const float* panel, const float* next, std::int64_t ahead, float* y) {
  for (std::int64_t c = 0; c < kPanel; c += 2 * kWide) {
    std::int64_t row = 0;
    for (; row + 4 <= rows; row += 4) {
      if (c == 0) fetch_ahead(next, ahead, row / 4, (rows + 3) / 4);
      multiply_tile<4>(x + row * stride, stride, depth, panel + c, y + row * kPanel + c);
    }
    if (c == 0 && row < rows) fetch_ahead(next, ahead, row / 4, (rows + 3) / 4);
    const float* from = x + row * stride;
    float* to = y + row * kPanel + c;
    if (rows - row == 3) multiply_tile<3>(from, stride, depth, panel + c, to);
    if (rows - row == 2) multiply_tile<2>(from, stride, depth, panel + c, to);
    if (rows - row == 1) multiply_tile<1>(from, stride, depth, panel + c, to);
  }
}

}  // namespace cellmill::nn
