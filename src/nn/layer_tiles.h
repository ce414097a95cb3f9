// What the kernels of nn/layer_kernels.h share, over `Words`. Included as nn/avx512_tiles.h is.
#pragma once
#include <cstdint>

#include "nn/avx512_words.h"
#include "nn/layer_kernels.h"

namespace cellmill::nn {
namespace {

static_assert(kBlockRows % kRows == 0);
/// Rows of a weight whose four columns stay in the first-level cache.
constexpr std::int64_t kStrip = 128;

/// The columns of a weight in groups of four lanes or less: [in][lanes * 16] each.
struct Group {
  std::int64_t begin, lanes;
};
constexpr std::int64_t groups(std::int64_t out) { return ceil_div(out, kColumns * kLanes); }
constexpr Group group(std::int64_t out, std::int64_t g) {
  const auto columns = out / kLanes, count = groups(out), begin = columns * g / count;
  return {begin * kLanes, columns * (g + 1) / count - begin};
}

/// Numbers that stand together in a word are those of neighbouring inputs.
template <class Words>
void pack_weight(const float* weight, std::int64_t out, std::int64_t in, float* packed) {
  const auto words = in / Words::kValues;
  for (std::int64_t g = 0; g < groups(out); ++g) {
    const auto [begin, lanes] = group(out, g);
    for (auto c = begin; c < begin + lanes * kLanes; ++c)
      for (std::int64_t k = 0; k < words; ++k)
        packed[k * lanes * kLanes + c - begin] = Words::word(weight + c * in + k * Words::kValues);
    packed += words * lanes * kLanes;
  }
}

/// Of a tile: rows [kRows, in] from `k` on, and what becomes of their sums.
struct Tile {
  const float *x, *weight, *bias, *added;
  float* y;
  std::int64_t in, out, depth;
  bool first, relu;
};

template <class Words, int C>
CELLMILL_INLINE void multiply_tile(const Tile& t) {
  __m512 sum[kRows][C];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c)
      sum[r][c] = _mm512_loadu_ps(t.first ? t.bias + c * kLanes : t.y + r * t.out + c * kLanes);
  multiply<Words, C>(t.x, t.in, t.weight, C * kLanes, t.depth, sum);
  if (t.added) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c)
        sum[r][c] = _mm512_add_ps(sum[r][c], _mm512_loadu_ps(t.added + r * t.out + c * kLanes));
  }
  if (t.relu) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[r][c] = _mm512_max_ps(_mm512_setzero_ps(), sum[r][c]);
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) _mm512_storeu_ps(t.y + r * t.out + c * kLanes, sum[r][c]);
}

template <class Words>
void multiply_rows(const PackedProduct& product, const float* x, const float* added, bool relu,
                   std::int64_t rows, float* y) {
  const auto in = product.in / Words::kValues, out = product.out;
  for (std::int64_t g = 0; g < groups(out); ++g) {
    const auto [begin, lanes] = group(out, g);
    for (std::int64_t k = 0; k < in; k += kStrip) {
      const auto depth = in - k < kStrip ? in - k : kStrip;
      const bool last = k + depth == in;
      for (std::int64_t row = 0; row < rows; row += kRows) {
        const auto place = row * out + begin;
        const Tile tile{x + row * in + k,
                        product.weight + begin * in + k * lanes * kLanes,
                        product.bias + begin,
                        last && added ? added + place : nullptr,
                        y + place,
                        in,
                        out,
                        depth,
                        k == 0,
                        last && relu};
        if (lanes == 4) multiply_tile<Words, 4>(tile);
        if (lanes == 3) multiply_tile<Words, 3>(tile);
        if (lanes == 2) multiply_tile<Words, 2>(tile);
        if (lanes == 1) multiply_tile<Words, 1>(tile);
      }
    }
  }
}

template <class Words>
void to_words(const float* x, std::int64_t count, float* words) {
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const __m512 values[1] = {_mm512_loadu_ps(x + i)};
    Words::template store<1>(words + i / Words::kValues, values);
  }
}

void normalise(float* x, std::int64_t rows, std::int64_t width, const float* weight,
               const float* bias, float epsilon) {
  const float share = 1 / static_cast<float>(width);
  for (std::int64_t row = 0; row < rows; ++row, x += width) {
    __m512 sum = _mm512_setzero_ps(), squares = _mm512_setzero_ps();
    for (std::int64_t c = 0; c < width; c += kLanes)
      sum = _mm512_add_ps(sum, _mm512_loadu_ps(x + c));
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) * share);
    for (std::int64_t c = 0; c < width; c += kLanes) {
      const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(x + c), mean);
      squares = _mm512_fmadd_ps(d, d, squares);
    }
    const __m512 scale =
        _mm512_set1_ps(1 / __builtin_sqrtf(_mm512_reduce_add_ps(squares) * share + epsilon));
    for (std::int64_t c = 0; c < width; c += kLanes) {
      const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(x + c), mean);
      const __m512 scaled = _mm512_mul_ps(scale, _mm512_loadu_ps(weight + c));
      _mm512_storeu_ps(x + c, _mm512_fmadd_ps(d, scaled, _mm512_loadu_ps(bias + c)));
    }
  }
}

template <class Words>
constexpr LayerKernels layer_of() {
  return {Words::kValues, &pack_weight<Words>, &multiply_rows<Words>, &to_words<Words>, &normalise};
}

}  // namespace
}  // namespace cellmill::nn
