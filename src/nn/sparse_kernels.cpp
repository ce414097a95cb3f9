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
void multiply_tile(const TileEntries& x, std::int64_t rows, const float* panel,
                   std::int64_t columns, float* y, std::int64_t y_stride, bool add) {
  float edge[kPanel];
  for (std::int64_t row = 0; row < rows; ++row) {
    float* out = y + row * y_stride;
    float* to = columns == kPanel ? out : edge;
    Lane sum[kLanes] = {};
    for (std::int64_t k = x.first[row]; k < x.last[row]; ++k) {
      const Lane* from = reinterpret_cast<const Lane*>(panel + (x.indices[k] - x.origin) * kPanel);
      const float v = x.values[k];
#pragma GCC unroll 8
      for (int lane = 0; lane < kLanes; ++lane) sum[lane] += v * from[lane];
    }
    if (add && columns == kPanel) {
#pragma GCC unroll 8
      for (int lane = 0; lane < kLanes; ++lane) sum[lane] += reinterpret_cast<Lane*>(out)[lane];
    }
#pragma GCC unroll 8
    for (int lane = 0; lane < kLanes; ++lane) reinterpret_cast<Lane*>(to)[lane] = sum[lane];
    if (columns != kPanel)
      for (std::int64_t j = 0; j < columns; ++j) out[j] = edge[j] + (add ? out[j] : 0);
  }
}

}  // namespace cellmill::nn
