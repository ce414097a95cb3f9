#pragma once
// Counts as nearly all clients write them, [0, 12, 5]: a request is tens of thousands of them. Read
// eight numbers at a time where the processor has AVX-512, else eight bytes at a time.
#include <cstddef>

#include "serve/predictor.h"

namespace cellmill::serve {

/// Of `text`, these many bytes before it and behind its zero byte may be read.
inline constexpr std::size_t kPlainBefore = 8, kPlainBehind = 64;

/// The counts of a list of exactly `genes` whole numbers of one to seven digits without signs,
/// leading zeros, fractions or exponents, a comma and at most one blank between them, not all 0.
/// Returns where it ends; null, and `out` is whatever, for anything else: somebody else must say
/// whether that is JSON and what is wrong with it. `text` begins with the list and ends with a zero
/// byte.
const char* read_plain_counts(const char* text, std::size_t genes, Counts& out);

/// The same for any processor.
const char* read_plain_counts_portably(const char* text, std::size_t genes, Counts& out);

/// The same with `step` characters between numbers, where can_read_counts_avx512; there must be
/// room for `genes` + 8 places and values, the first `found` of which are set.
const char* read_plain_counts_avx512(const char* text, int step, std::size_t genes,
                                     std::int32_t* places, float* values, std::size_t& found);
bool can_read_counts_avx512();

}  // namespace cellmill::serve
