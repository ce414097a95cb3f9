#include "base/instruction_sets.h"
#include "serve/plain_counts.h"

#ifdef CELLMILL_AVX512
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // gcc 12 warns of its own intrinsics
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")

namespace cellmill::serve {
namespace {

constexpr int kBlock = 64, kGroup = 8;
constexpr long long kOnes = 0x0101010101010101;

/// Numbers from where they end, eight at a time, each from the eight characters before its end.
class Numbers {
 public:
  Numbers(const char* text, int step, std::size_t genes, std::int32_t* places, float* values)
      : text_(text), step_(step), genes_(genes), places_(places), values_(values) {}

  /// The first `count` of eight numbers, the first of which begins `step` behind ends[-1]. False if
  /// one of them is not plain, or there are too many.
  bool add(const std::uint32_t* ends, int count) {
    if (read_ + static_cast<std::size_t>(count) > genes_) return false;
    const auto wanted = static_cast<__mmask8>((1 << count) - 1);
    const __m256i end = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends));
    const __m256i before = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends - 1));
    const __m256i length =
        _mm256_sub_epi32(_mm256_sub_epi32(end, before), _mm256_set1_epi32(step_));
    const __mmask8 wrong_length = _mm256_cmpgt_epu32_mask(
        _mm256_sub_epi32(length, _mm256_set1_epi32(1)), _mm256_set1_epi32(6));
    if (wrong_length & wanted) return false;
    const __m512i others =
        _mm512_cvtepi32_epi64(_mm256_slli_epi32(_mm256_sub_epi32(_mm256_set1_epi32(8), length), 3));
    const __m512i characters =
        _mm512_mask_i32gather_epi64(_mm512_setzero_si512(), wanted, end, text_ - 8, 1);
    const __m512i digits =
        _mm512_and_si512(_mm512_xor_si512(characters, _mm512_set1_epi64(kOnes * '0')),
                         _mm512_sllv_epi64(_mm512_set1_epi64(-1), others));
    const __mmask8 zero_first =
        _mm512_testn_epi64_mask(_mm512_srlv_epi64(digits, others), _mm512_set1_epi64(0xff));
    const __mmask8 longer = _mm256_cmpgt_epi32_mask(length, _mm256_set1_epi32(1));
    if (zero_first & longer & wanted) return false;
    const __m512i pairs = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010a));
    const __m512i fours = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00010064));
    const __m512i numbers = _mm512_add_epi64(_mm512_mul_epu32(fours, _mm512_set1_epi64(10000)),
                                             _mm512_srli_epi64(fours, 32));
    const __m256i counts = _mm512_cvtepi64_epi32(numbers);
    const __mmask8 kept = _mm256_test_epi32_mask(counts, counts) & wanted;
    const __m256i place = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int>(read_)),
                                           _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(places_ + found_),
                        _mm256_maskz_compress_epi32(kept, place));
    _mm256_storeu_ps(values_ + found_, _mm256_maskz_compress_ps(kept, _mm256_cvtepi32_ps(counts)));
    found_ += static_cast<std::size_t>(__builtin_popcount(kept));
    read_ += static_cast<std::size_t>(count);
    return true;
  }
  std::size_t read() const { return read_; }
  std::size_t found() const { return found_; }

 private:
  const char* text_;
  const int step_;
  const std::size_t genes_;
  std::int32_t* places_;
  float* values_;
  std::size_t read_ = 0, found_ = 0;
};

/// Where the set bits of a block stand, from `base` on.
int write_places(std::uint64_t bits, std::uint32_t base, std::uint32_t* to) {
  alignas(64) static constexpr struct Places {
    std::uint8_t each[kBlock];
    constexpr Places() : each() {
      for (int i = 0; i < kBlock; ++i) each[i] = static_cast<std::uint8_t>(i);
    }
  } kPlaces;
  const int count = __builtin_popcountll(bits);
  alignas(64) std::uint8_t places[kBlock];
  _mm512_store_si512(places, _mm512_maskz_compress_epi8(bits, _mm512_load_si512(kPlaces.each)));
  for (int i = 0; i < count; i += 16) {
    const __m512i place =
        _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(places + i)));
    _mm512_storeu_si512(to + i, _mm512_add_epi32(place, _mm512_set1_epi32(static_cast<int>(base))));
  }
  return count;
}

}  // namespace

const char* read_plain_counts_avx512(const char* text, int step, std::size_t genes,
                                     std::int32_t* places, float* values, std::size_t& found) {
  Numbers numbers(text, step, genes, places, values);
  std::uint32_t ends[kGroup + 2 * kBlock];  // the one before, then those that wait
  int waiting = 0;
  ends[0] = static_cast<std::uint32_t>(1 - step);  // as if one had ended before the bracket
  std::uint64_t blank_due = 0;
  for (std::uint32_t base = 0;; base += kBlock) {
    __m512i block = _mm512_loadu_si512(text + base);
    if (base == 0) block = _mm512_mask_set1_epi8(block, 1, '0');  // the bracket
    const std::uint64_t commas = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(','));
    const std::uint64_t blanks = _mm512_cmpeq_epi8_mask(block, _mm512_set1_epi8(' '));
    const std::uint64_t digits =
        _mm512_cmple_epu8_mask(_mm512_sub_epi8(block, _mm512_set1_epi8('0')), _mm512_set1_epi8(9));
    const std::uint64_t others = ~(commas | blanks | digits);
    const std::uint64_t inside = others ? others ^ (others - 1) : ~0ull;  // up to the first of them
    const std::uint64_t due = step == 2 ? (commas << 1) | blank_due : 0;
    if (((blanks ^ due) & inside & ~others) || (due & inside & others)) return nullptr;
    blank_due = commas >> 63;
    const std::uint64_t last = others & inside;
    waiting += write_places((commas & inside) | last, base, ends + 1 + waiting);
    int done = 0;
    for (; waiting - done >= kGroup; done += kGroup)
      if (!numbers.add(ends + 1 + done, kGroup)) return nullptr;
    if (last) {
      const char* end = text + base + __builtin_ctzll(last);
      if (*end != ']') return nullptr;
      if (waiting > done && !numbers.add(ends + 1 + done, waiting - done)) return nullptr;
      found = numbers.found();
      return numbers.read() == genes ? end + 1 : nullptr;
    }
    waiting -= done;
    for (int i = 0; i <= waiting; ++i) ends[i] = ends[done + i];
  }
}

}  // namespace cellmill::serve
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif
