// How words of 32 bits are made from values and multiplied: a float, or a pair of bfloat16.
// Included as nn/avx512_tiles.h is.
#pragma once
#include <cstdint>

#include "nn/avx512_tiles.h"

namespace cellmill::nn {
namespace {

using Bfloat16 = std::uint16_t;

CELLMILL_INLINE __m512 widened(__m256i values) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16));
}
/// To the nearest bfloat16, of two the even one; NaN stays NaN.
CELLMILL_INLINE __m256i rounded(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(
      _mm512_srli_epi32(_mm512_mask_mov_epi32(up, nan, _mm512_set1_epi32(0x7fc00000)), 16));
}

/// Pairs of bfloat16, multiplied and added by `Dot`: the first of a pair in the lower half.
template <class Dot>
struct Pairs {
  using Value = Bfloat16;
  static constexpr std::int64_t kValues = 2;
  CELLMILL_INLINE static __m512 add_product(__m512 sum, __m512 a, __m512 b) {
    return Dot::add(sum, a, b);
  }
  CELLMILL_INLINE static float word(const float* values) {
    const __m256i two = rounded(_mm512_maskz_loadu_ps(3, values));
    return __builtin_bit_cast(float, _mm_cvtsi128_si32(_mm256_castsi256_si128(two)));
  }
  /// Neighbours make pairs.
  CELLMILL_INLINE static __m512 load(const Bfloat16* from, std::int64_t n) {
    const auto there = n >= 2 * kLanes ? ~__mmask32{0} : n <= 0 ? 0 : (__mmask32{1} << n) - 1;
    return _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(there, from));
  }
  /// Those of two rows make pairs; either may be missing.
  CELLMILL_INLINE static __m512 join(const Bfloat16* first, const Bfloat16* second,
                                     std::int64_t n) {
    const auto wide = [n](const Bfloat16* from) [[gnu::always_inline]] {
      return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(from ? first_lanes(n) : 0, from));
    };
    return _mm512_castsi512_ps(_mm512_or_si512(wide(first), _mm512_slli_epi32(wide(second), 16)));
  }
  template <int C>
  CELLMILL_INLINE static void store(float* to, const __m512 (&from)[C]) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + c * kLanes / 2), rounded(from[c]));
  }
  CELLMILL_INLINE static void write(Bfloat16* to, __m512 from, std::int64_t n) {
    _mm256_mask_storeu_epi16(to, first_lanes(n), rounded(from));
  }
};

struct Floats {
  using Value = float;
  static constexpr std::int64_t kValues = 1;
  CELLMILL_INLINE static __m512 add_product(__m512 sum, __m512 a, __m512 b) {
    return _mm512_fmadd_ps(a, b, sum);
  }
  CELLMILL_INLINE static float word(const float* values) { return *values; }
  CELLMILL_INLINE static __m512 load(const float* from, std::int64_t n) {
    return _mm512_maskz_loadu_ps(first_lanes(n), from);
  }
  CELLMILL_INLINE static __m512 join(const float* value, const float*, std::int64_t n) {
    return load(value, value ? n : 0);
  }
  template <int C>
  CELLMILL_INLINE static void store(float* to, const __m512 (&from)[C]) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) _mm512_storeu_ps(to + c * kLanes, from[c]);
  }
  CELLMILL_INLINE static void write(float* to, __m512 from, std::int64_t n) {
    _mm512_mask_storeu_ps(to, first_lanes(n), from);
  }
};

/// bfloat16 in memory, float32 here.
struct WidenedFloats : Floats {
  using Value = Bfloat16;
  CELLMILL_INLINE static __m512 load(const Bfloat16* from, std::int64_t n) {
    return widened(_mm256_maskz_loadu_epi16(first_lanes(n), from));
  }
  CELLMILL_INLINE static __m512 join(const Bfloat16* value, const Bfloat16*, std::int64_t n) {
    return load(value, value ? n : 0);
  }
  CELLMILL_INLINE static void write(Bfloat16* to, __m512 from, std::int64_t n) {
    _mm256_mask_storeu_epi16(to, first_lanes(n), rounded(from));
  }
};

struct EmulatedDot {
  CELLMILL_INLINE static __m512 add(__m512 sum, __m512 a, __m512 b) {
    const __m512i x = _mm512_castps_si512(a), y = _mm512_castps_si512(b);
    const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    sum = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)),
                          _mm512_castsi512_ps(_mm512_slli_epi32(y, 16)), sum);
    return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(x, high)),
                           _mm512_castsi512_ps(_mm512_and_si512(y, high)), sum);
  }
};

}  // namespace
}  // namespace cellmill::nn
