// What the kernels of nn/attention_kernels.h share, over `Words`: how a word is multiplied, and
// made from values. Included as nn/avx512_tiles.h is.
#pragma once
#include <cstdint>

#include "nn/attention_kernels.h"
#include "nn/avx512_words.h"

namespace cellmill::nn {
namespace {

static_assert(kKeys == kColumns * kLanes && kQueries % kRows == 0);
/// Scores, as powers of two, may exceed the maximum that they are shifted by so far.
constexpr float kSlack = 24;

/// 2^x: a polynomial of the fractional part (relative error 1.5e-7), 0 below the normal numbers.
CELLMILL_INLINE __m512 power_of_two(__m512 x) {
  const __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 p = _mm512_set1_ps(0x1.ec3212p-10f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.26900ep-7f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.c95446p-5f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.ebd5aap-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.62e4f6p-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0x1.fffffep-1f));
  const __mmask16 normal = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-126), _CMP_NLT_UQ);
  return _mm512_maskz_scalef_ps(normal, p, x);
}

/// 16 rows of 16 words, `from_stride` apart, to columns.
CELLMILL_INLINE void transpose(const float* from, std::int64_t from_stride, float* to,
                               std::int64_t to_stride) {
  __m512 a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_ps(from + i * from_stride);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    b[2 * i] = _mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]);
    b[2 * i + 1] = _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    a[4 * i] = _mm512_shuffle_ps(b[4 * i], b[4 * i + 2], 0x44);
    a[4 * i + 1] = _mm512_shuffle_ps(b[4 * i], b[4 * i + 2], 0xee);
    a[4 * i + 2] = _mm512_shuffle_ps(b[4 * i + 1], b[4 * i + 3], 0x44);
    a[4 * i + 3] = _mm512_shuffle_ps(b[4 * i + 1], b[4 * i + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    b[i] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0x88);
    b[i + 4] = _mm512_shuffle_f32x4(a[i], a[i + 4], 0xdd);
    b[i + 8] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0x88);
    b[i + 12] = _mm512_shuffle_f32x4(a[i + 8], a[i + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm512_storeu_ps(to + i * to_stride, _mm512_shuffle_f32x4(b[i], b[i + 8], 0x88));
    _mm512_storeu_ps(to + (i + 4) * to_stride, _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0x88));
    _mm512_storeu_ps(to + (i + 8) * to_stride, _mm512_shuffle_f32x4(b[i], b[i + 8], 0xdd));
    _mm512_storeu_ps(to + (i + 12) * to_stride, _mm512_shuffle_f32x4(b[i + 4], b[i + 12], 0xdd));
  }
}

/// Of a head: blocks of kKeys keys, [depth in words][kKeys], then of values, [keys in words][depth
/// padded to lanes], all filled up with zeros.
template <class Words>
struct Packing {
  std::int64_t depth, key_words, value_words, blocks;

  explicit Packing(std::int64_t length, std::int64_t of_depth)
      : depth(padded(of_depth)),
        key_words(padded(ceil_div(of_depth, Words::kValues)) * kKeys),
        value_words(kKeys / Words::kValues * depth),
        blocks(ceil_div(length, kKeys)) {}
  std::int64_t words() const { return blocks * (key_words + value_words); }
  std::int64_t keys(std::int64_t block) const { return block * key_words; }
  std::int64_t values(std::int64_t block) const { return blocks * key_words + block * value_words; }
};

template <class Words>
std::int64_t packed_words(std::int64_t length, std::int64_t depth) {
  return Packing<Words>(length, depth).words();
}

template <class Words>
const typename Words::Value* row_of(const void* values, const Head& head, std::int64_t row) {
  return static_cast<const typename Words::Value*>(values) + row * head.stride;
}

template <class Words>
void pack_block(const Head& head, std::int64_t begin, float* packed) {
  const Packing<Words> to(head.length, head.depth);
  const auto words = ceil_div(head.depth, Words::kValues);
  float* keys = packed + to.keys(begin / kKeys);
  for (std::int64_t row = 0; row < kKeys; row += kLanes)
    for (std::int64_t w = 0; w < words; w += kLanes) {
      alignas(64) float tile[kLanes * kLanes];
      for (std::int64_t i = 0; i < kLanes; ++i) {
        const auto key = begin + row + i;
        const auto n = key < head.length ? head.depth - w * Words::kValues : 0;
        const auto* from =
            n > 0 ? row_of<Words>(head.key, head, key) + w * Words::kValues : nullptr;
        _mm512_store_ps(tile + i * kLanes, Words::load(from, n));
      }
      transpose(tile, kLanes, keys + w * kKeys + row, kKeys);
    }
  float* values = packed + to.values(begin / kKeys);
  for (auto row = begin; row < begin + kKeys; row += Words::kValues, values += to.depth)
    for (std::int64_t d = 0; d < to.depth; d += kLanes) {
      const auto* first = row < head.length ? row_of<Words>(head.value, head, row) + d : nullptr;
      const auto* second = row + 1 < head.length ? first + head.stride : nullptr;
      _mm512_storeu_ps(values + d, Words::join(first, second, head.depth - d));
    }
}

/// kRows queries on their way over the keys.
struct Rows {
  const float* query;  ///< [kRows][stride]
  float* out;          ///< [kRows][depth padded], times `sum`
  float* sum;          ///< [kRows][kLanes]
  float* shift;        ///< [kRows]: of the scores, as powers of two
  std::int64_t words, stride, depth;
};

/// Shifts the rows whose scores have outgrown what they are shifted by.
template <int C>
[[gnu::noinline]] void raise(const Rows& rows, const float* scores, float scale) {
  for (int r = 0; r < kRows; ++r) {
    __m512 most = _mm512_loadu_ps(scores + r * kKeys);
    for (int c = 1; c < C; ++c)
      most = _mm512_max_ps(most, _mm512_loadu_ps(scores + r * kKeys + c * kLanes));
    const float shift = _mm512_reduce_max_ps(most) * scale;
    if (!(shift > rows.shift[r])) continue;
    const __m512 factor = power_of_two(_mm512_set1_ps(rows.shift[r]) - _mm512_set1_ps(shift));
    rows.shift[r] = shift;
    float* sum = rows.sum + r * kLanes;
    _mm512_storeu_ps(sum, _mm512_mul_ps(_mm512_loadu_ps(sum), factor));
    for (auto d = 0; d < rows.depth; d += kLanes) {
      float* out = rows.out + r * rows.depth + d;
      _mm512_storeu_ps(out, _mm512_mul_ps(_mm512_loadu_ps(out), factor));
    }
  }
}

template <class Words, int C>
CELLMILL_INLINE void add_columns(const Rows& rows, const float* weights, const float* values,
                                 std::int64_t keys, std::int64_t d) {
  __m512 sum[kRows][C];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c)
      sum[r][c] = _mm512_loadu_ps(rows.out + r * rows.depth + d + c * kLanes);
  multiply<Words, C>(weights, kKeys, values + d, rows.depth, keys, sum);
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c)
      _mm512_storeu_ps(rows.out + r * rows.depth + d + c * kLanes, sum[r][c]);
}

/// out += weights values, `keys` words of them.
template <class Words>
CELLMILL_INLINE void add_values(const Rows& rows, const float* weights, const float* values,
                                std::int64_t keys) {
  const auto columns = rows.depth / kLanes, parts = ceil_div(columns, kColumns);
  for (std::int64_t part = 0; part < parts; ++part) {
    const auto begin = columns * part / parts, count = columns * (part + 1) / parts - begin;
    const auto d = begin * kLanes;
    if (count == 4) add_columns<Words, 4>(rows, weights, values, keys, d);
    if (count == 3) add_columns<Words, 3>(rows, weights, values, keys, d);
    if (count == 2) add_columns<Words, 2>(rows, weights, values, keys, d);
    if (count == 1) add_columns<Words, 1>(rows, weights, values, keys, d);
  }
}

/// `keys` of a block, of C * kLanes at most and more than a lane less.
template <class Words, int C>
CELLMILL_INLINE void visit(const Rows& rows, const float* key, const float* value,
                           std::int64_t keys, float scale) {
  __m512 s[kRows][C];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) s[r][c] = _mm512_setzero_ps();
  multiply<Words, C>(rows.query, rows.stride, key, kKeys, rows.words, s);

  if (keys < C * kLanes) {
    const auto there = static_cast<__mmask16>((1u << (keys - (C - 1) * kLanes)) - 1);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r)
      s[r][C - 1] = _mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()), there, s[r][C - 1]);
  }

  const __m512 scales = _mm512_set1_ps(scale);
  __m512 above = _mm512_set1_ps(-__builtin_inff());
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    __m512 most = s[r][0];
#pragma GCC unroll 4
    for (int c = 1; c < C; ++c) most = _mm512_max_ps(most, s[r][c]);
    above = _mm512_max_ps(above, _mm512_fmsub_ps(most, scales, _mm512_set1_ps(rows.shift[r])));
  }
  alignas(64) float weights[kRows * kKeys];
  if (_mm512_cmp_ps_mask(above, _mm512_set1_ps(kSlack), _CMP_GT_OQ)) {
    for (int r = 0; r < kRows; ++r)
      for (int c = 0; c < C; ++c) _mm512_store_ps(weights + r * kKeys + c * kLanes, s[r][c]);
    raise<C>(rows, weights, scale);
  }

#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    const __m512 shift = _mm512_set1_ps(rows.shift[r]);
    __m512 sum = _mm512_loadu_ps(rows.sum + r * kLanes);
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      s[r][c] = power_of_two(_mm512_fmsub_ps(s[r][c], scales, shift));
      sum = _mm512_add_ps(sum, s[r][c]);
    }
    _mm512_storeu_ps(rows.sum + r * kLanes, sum);
    Words::template store<C>(weights + r * kKeys, s[r]);
  }
  add_values<Words>(rows, weights, value, ceil_div(keys, Words::kValues));
}

template <class Words>
[[gnu::noinline]] void visit_block(const Rows& rows, const float* key, const float* value,
                                   std::int64_t keys, float scale) {
  if (keys > 3 * kLanes) return visit<Words, 4>(rows, key, value, keys, scale);
  if (keys > 2 * kLanes) return visit<Words, 3>(rows, key, value, keys, scale);
  if (keys > kLanes) return visit<Words, 2>(rows, key, value, keys, scale);
  visit<Words, 1>(rows, key, value, keys, scale);
}

template <class Words>
void attend(const Head& head, std::int64_t begin, const float* packed, float* room) {
  const Packing<Words> from(head.length, head.depth);
  const auto words = ceil_div(head.depth, Words::kValues);
  const auto stride = padded(words);
  const auto queries = head.length - begin < kQueries ? head.length - begin : kQueries;
  const auto tiles = ceil_div(queries, kRows);
  float* const out = room;
  float* const sum = out + kQueries * from.depth;
  float* const query = sum + kQueries * kLanes;
  float* const shift = query + kQueries * stride;
  for (std::int64_t i = 0; i < kQueries * (from.depth + kLanes); ++i) out[i] = 0;
  for (std::int64_t row = 0; row < tiles * kRows; ++row) {
    shift[row] = -0x1p100f;
    for (std::int64_t w = 0; w < words; w += kLanes) {
      const auto n = row < queries ? head.depth - w * Words::kValues : 0;
      const auto* values = n > 0 ? row_of<Words>(head.query, head, begin + row) : nullptr;
      _mm512_storeu_ps(query + row * stride + w,
                       Words::load(n > 0 ? values + w * Words::kValues : nullptr, n));
    }
  }
  const float scale = 1.44269504f / __builtin_sqrtf(static_cast<float>(head.depth));
  for (std::int64_t block = 0; block < from.blocks; ++block) {
    const auto left = head.length - block * kKeys;
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const auto row = tile * kRows;
      const Rows rows{query + row * stride,
                      out + row * from.depth,
                      sum + row * kLanes,
                      shift + row,
                      words,
                      stride,
                      from.depth};
      visit_block<Words>(rows, packed + from.keys(block), packed + from.values(block),
                         left < kKeys ? left : kKeys, scale);
    }
  }
  for (std::int64_t row = 0; row < queries; ++row) {
    const __m512 factor =
        _mm512_set1_ps(1 / _mm512_reduce_add_ps(_mm512_loadu_ps(sum + row * kLanes)));
    auto* to = static_cast<typename Words::Value*>(head.out) + (begin + row) * head.out_stride;
    for (std::int64_t d = 0; d < head.depth; d += kLanes)
      Words::write(to + d, _mm512_mul_ps(_mm512_loadu_ps(out + row * from.depth + d), factor),
                   head.depth - d);
  }
}

template <class Words>
constexpr HeadKernel head_of() {
  return {&packed_words<Words>, &pack_block<Words>, &attend<Words>};
}

}  // namespace
}  // namespace cellmill::nn
