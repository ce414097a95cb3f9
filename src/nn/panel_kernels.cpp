#include "nn/panel_kernels.h"

#include "base/instruction_sets.h"

namespace cellmill::nn {
namespace {

typedef float Lane __attribute__((vector_size(32), aligned(4), may_alias));
constexpr std::int64_t kLane = 8, kLanes = kPanel / kLane;
constexpr std::int64_t kLine = 16;

/// Part `part` of `parts` of the lines.
[[gnu::always_inline]] inline void fetch(const Ahead& ahead, std::int64_t part,
                                         std::int64_t parts) {
  const auto end = ahead.lines * (part + 1) / parts;
  for (auto line = ahead.lines * part / parts; line < end; ++line)
    __builtin_prefetch(ahead.next + line * kLine, 0, 2);
}

/// Of four columns of 8 lanes, `Rows` rows: with three their sums take 12 of 16 registers.
template <int Rows>
[[gnu::always_inline]] inline void multiply_tile(const float* x, std::int64_t stride,
                                                 std::int64_t depth, const float* panel, float* y,
                                                 std::int64_t y_stride) {
  Lane sum[Rows][4];
#pragma GCC unroll 3
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) sum[r][c] = reinterpret_cast<const Lane*>(y + r * y_stride)[c];
  for (std::int64_t k = 0; k < depth; ++k, panel += kPanel) {
    const Lane* from = reinterpret_cast<const Lane*>(panel);
#pragma GCC unroll 3
    for (int r = 0; r < Rows; ++r) {
      const float v = x[r * stride + k];
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) sum[r][c] += v * from[c];
    }
  }
#pragma GCC unroll 3
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) reinterpret_cast<Lane*>(y + r * y_stride)[c] = sum[r][c];
}

CELLMILL_CLONES
void entries(const RowEntries& x, const float* panel, Ahead ahead, PanelSums y) {
  for (std::int64_t row = 0; row < y.rows; ++row) {
    fetch(ahead, row, y.rows);
    const auto end = x.end[row];
    if (x.begin[row] == end) continue;
    Lane* to = reinterpret_cast<Lane*>(y.values + row * y.stride);
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
void dense(const float* x, std::int64_t stride, std::int64_t depth, const float* panel, Ahead ahead,
           PanelSums y) {
  constexpr std::int64_t kColumns = 4 * kLane;
  for (std::int64_t row = 0; row < y.rows; row += 3) {
    fetch(ahead, row / 3, (y.rows + 2) / 3);
    for (std::int64_t c = 0; c < kPanel; c += kColumns) {
      const float* from = x + row * stride;
      float* to = y.values + row * y.stride + c;
      if (y.rows - row >= 3) multiply_tile<3>(from, stride, depth, panel + c, to, y.stride);
      if (y.rows - row == 2) multiply_tile<2>(from, stride, depth, panel + c, to, y.stride);
      if (y.rows - row == 1) multiply_tile<1>(from, stride, depth, panel + c, to, y.stride);
    }
  }
}

}  // namespace

const PanelKernels kPortablePanels = {entries, dense};

const PanelKernels& panel_kernels() {
#ifdef CELLMILL_AVX512
  static const PanelKernels& best = has_avx512() ? kAvx512Panels : kPortablePanels;
  return best;
#else
  return kPortablePanels;
#endif
}

}  // namespace cellmill::nn
