#include "base/instruction_sets.h"

#ifdef CELLMILL_AVX512
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // gcc 12 warns of its own intrinsics
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#include "nn/attention_avx512.h"
#include "nn/attention_tiles.h"

namespace cellmill::nn {
namespace {

struct Floats {
  using Value = float;
  static constexpr std::int64_t kValues = 1;
  CELLMILL_INLINE static __m512 add_product(__m512 sum, __m512 a, __m512 b) {
    return _mm512_fmadd_ps(a, b, sum);
  }
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

const HeadKernel kAvx512Floats = kernel_of<Floats>();
const HeadKernel kAvx512WidenedFloats = kernel_of<WidenedFloats>();
const HeadKernel kAvx512EmulatedPairs = kernel_of<Pairs<EmulatedDot>>();

}  // namespace cellmill::nn
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif
