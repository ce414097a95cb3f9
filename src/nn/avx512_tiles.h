// What kernels for AVX-512 share: a product of 6 rows with 4 columns of 16 lanes, whose sums take
// 24 of 32 registers. Included inside the region of a file that is compiled for AVX-512; so nothing
// here may be a template of the standard library, whose one copy might serve other processors.
#pragma once
#include <cstdint>

namespace cellmill::nn {
namespace {

#define CELLMILL_INLINE [[gnu::always_inline]] inline

constexpr std::int64_t kLanes = 16, kRows = 6, kColumns = 4;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t padded(std::int64_t n) { return ceil_div(n, kLanes) * kLanes; }

CELLMILL_INLINE __mmask16 first_lanes(std::int64_t n) {
  return static_cast<__mmask16>(n >= kLanes ? 0xffff : n <= 0 ? 0 : (1 << n) - 1);
}
/// sum[r][c] += rows[r] * columns[.][c], `depth` words.
template <class Words, int C>
CELLMILL_INLINE void multiply(const float* rows, std::int64_t row_stride, const float* columns,
                              std::int64_t column_stride, std::int64_t depth,
                              __m512 (&sum)[kRows][C]) {
  for (std::int64_t k = 0; k < depth; ++k, columns += column_stride) {
    __m512 from[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) from[c] = _mm512_loadu_ps(columns + c * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const __m512 v = _mm512_set1_ps(rows[r * row_stride + k]);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[r][c] = Words::add_product(sum[r][c], v, from[c]);
    }
  }
}

}  // namespace
}  // namespace cellmill::nn
