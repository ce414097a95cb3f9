#include "io/row_code_avx2.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <cstring>

#define CELLMILL_AVX2 __attribute__((target("avx2")))

namespace cellmill::io::avx2 {
namespace {

CELLMILL_AVX2 inline __m256i load8(const std::uint8_t* from) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}

CELLMILL_AVX2 bool all_below(const std::uint8_t* codes, std::uint32_t entries,
                             std::uint32_t table_size) {
  __m256i most = _mm256_setzero_si256();
  std::uint32_t i = 0;
  for (; i + 32 <= entries; i += 32)
    most = _mm256_max_epu8(most, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + i)));
  const __m256i limit = _mm256_set1_epi8(static_cast<char>(table_size - 1));
  bool below = _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(most, limit), limit)) == -1;
  for (; i < entries; ++i) below &= codes[i] < table_size;
  return below;
}

/// A table of up to 8 * kParts values in registers: one permutation a part, and a blend by the
/// next bit of the code.
template <int kParts>
CELLMILL_AVX2 std::uint32_t permute(const std::uint8_t* codes, std::uint32_t entries,
                                    const float* table, float* values) {
  __m256 part[kParts];
  for (int p = 0; p < kParts; ++p) part[p] = _mm256_load_ps(table + 8 * p);
  std::uint32_t i = 0;
  for (; i + 8 <= entries; i += 8) {
    const __m256i code = load8(codes + i);
    __m256 found[kParts];
    for (int p = 0; p < kParts; ++p) found[p] = _mm256_permutevar8x32_ps(part[p], code);
    for (int width = kParts, bit = 28; width > 1; width /= 2, --bit) {
      const __m256 high = _mm256_castsi256_ps(_mm256_sllv_epi32(code, _mm256_set1_epi32(bit)));
      for (int p = 0; p < width / 2; ++p)
        found[p] = _mm256_blendv_ps(found[2 * p], found[2 * p + 1], high);
    }
    _mm256_storeu_ps(values + i, found[0]);
  }
  return i;
}

CELLMILL_AVX2 std::uint32_t gather(const std::uint8_t* codes, std::uint32_t entries,
                                   const float* table, float* values) {
  std::uint32_t i = 0;
  for (; i + 8 <= entries; i += 8)
    _mm256_storeu_ps(values + i, _mm256_i32gather_ps(table, load8(codes + i), 4));
  return i;
}

}  // namespace

bool supported() { return __builtin_cpu_supports("avx2"); }

CELLMILL_AVX2 bool decode_gaps(const std::uint8_t* gaps, std::uint32_t entries,
                               std::int32_t columns_end, std::int32_t* columns, std::uint32_t& done,
                               std::int32_t& last) {
  const __m256i seventh = _mm256_set1_epi32(7), final = _mm256_set1_epi32(columns_end - 1);
  __m256i before = _mm256_set1_epi32(last), beyond = _mm256_setzero_si256();
  std::uint32_t i = done;
  for (; i + 16 <= entries; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(gaps + i));
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(-1))) != 0) break;
    // sums of 8 steps in each half, then of both
    __m256i sum = _mm256_add_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_set1_epi16(1));
    sum = _mm256_add_epi16(sum, _mm256_slli_si256(sum, 2));
    sum = _mm256_add_epi16(sum, _mm256_slli_si256(sum, 4));
    sum = _mm256_add_epi16(sum, _mm256_slli_si256(sum, 8));
    const __m256i low = _mm256_cvtepu16_epi32(_mm256_castsi256_si128(sum));
    const __m256i high = _mm256_add_epi32(_mm256_cvtepu16_epi32(_mm256_extracti128_si256(sum, 1)),
                                          _mm256_permutevar8x32_epi32(low, seventh));
    auto* to = reinterpret_cast<__m256i*>(columns + i);
    _mm256_storeu_si256(to, _mm256_add_epi32(low, before));
    _mm256_storeu_si256(to + 1, _mm256_add_epi32(high, before));
    before = _mm256_add_epi32(before, _mm256_permutevar8x32_epi32(high, seventh));
    beyond = _mm256_or_si256(beyond, _mm256_cmpgt_epi32(before, final));
  }
  done = i;
  last = _mm256_cvtsi256_si32(before);
  return _mm256_testz_si256(beyond, beyond) != 0;
}

CELLMILL_AVX2 bool look_up(const std::uint8_t* codes, std::uint32_t entries,
                           const std::uint8_t* table, std::uint32_t table_size, float* values) {
  if (!all_below(codes, entries, table_size)) return false;
  alignas(32) float aligned[256];
  std::memset(aligned, 0, 128);  // what `permute` loads beyond a short table
  std::memcpy(aligned, table, 4 * table_size);
  std::uint32_t i = table_size <= 8    ? permute<1>(codes, entries, aligned, values)
                    : table_size <= 16 ? permute<2>(codes, entries, aligned, values)
                    : table_size <= 32 ? permute<4>(codes, entries, aligned, values)
                                       : gather(codes, entries, aligned, values);
  for (; i < entries; ++i) values[i] = aligned[codes[i]];
  return true;
}

}  // namespace cellmill::io::avx2

#else

namespace cellmill::io::avx2 {

bool supported() { return false; }
bool decode_gaps(const std::uint8_t*, std::uint32_t, std::int32_t, std::int32_t*, std::uint32_t&,
                 std::int32_t&) {
  return false;
}
bool look_up(const std::uint8_t*, std::uint32_t, const std::uint8_t*, std::uint32_t, float*) {
  return false;
}

}  // namespace cellmill::io::avx2

#endif
