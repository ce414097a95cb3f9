#include "nn/sparse_kernels.h"

#include "base/instruction_sets.h"

namespace cellmill::nn {
namespace {

typedef float Lane __attribute__((vector_size(32), aligned(4), may_alias));
constexpr std::int64_t kLane = 8, kLanes = kPanel / kLane;

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

}  // namespace cellmill::nn
