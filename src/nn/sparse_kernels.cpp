#include "nn/sparse_kernels.h"

#include "nn/instruction_sets.h"

namespace cellmill::nn {
namespace {

typedef float Lane __attribute__((vector_size(32), aligned(4), may_alias));
constexpr std::int64_t kLane = 8, kLanes = kPanel / kLane;
constexpr std::int64_t kAhead = 8;  // entries between the prefetch of a row and its use

}  // namespace

CELLMILL_CLONES
void multiply_panel(const Rows& x, std::int64_t begin, std::int64_t end, const float* m,
                    std::int64_t m_stride, std::int64_t columns, float* y, std::int64_t y_stride) {
  const std::int64_t last = x.indptr[end];
  for (std::int64_t row = begin; row < end; ++row) {
    float* out = y + row * y_stride;
    std::int64_t k = x.indptr[row];
    const std::int64_t stop = x.indptr[row + 1];
    if (columns == kPanel) {
      Lane sum[kLanes] = {};
      for (; k < stop; ++k) {
        const float* from = m + x.indices[k] * m_stride;
        if (k + kAhead < last) {
          const float* next = m + x.indices[k + kAhead] * m_stride;
          for (std::int64_t line = 0; line < kPanel; line += 16) __builtin_prefetch(next + line);
        }
        const float v = x.values[k];
#pragma GCC unroll 8
        for (int lane = 0; lane < kLanes; ++lane)
          sum[lane] += v * reinterpret_cast<const Lane*>(from)[lane];
      }
#pragma GCC unroll 8
      for (int lane = 0; lane < kLanes; ++lane) reinterpret_cast<Lane*>(out)[lane] = sum[lane];
      continue;
    }
    float sum[kPanel] = {};
    for (; k < stop; ++k) {
      const float* from = m + x.indices[k] * m_stride;
      for (std::int64_t j = 0; j < columns; ++j) sum[j] += x.values[k] * from[j];
    }
    for (std::int64_t j = 0; j < columns; ++j) out[j] = sum[j];
  }
}

}  // namespace cellmill::nn
