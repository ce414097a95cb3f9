#pragma once
// Counts as nearly all clients write them, [0, 12, 5], read eight bytes at a time: a request is
// tens of thousands of them.
#include <cstddef>

#include "serve/predictor.h"

namespace cellmill::serve {

/// The counts of a list of exactly `genes` whole numbers of one to seven digits without signs,
/// leading zeros, fractions or exponents, a comma and at most one blank between them. False, and
/// `out` is whatever, for anything else: somebody else must say whether that is JSON and what is
/// wrong with it. `text` begins with the list and ends with a zero byte, behind which eight more
/// may be read.
bool read_plain_counts(const char* text, std::size_t genes, Counts& out);

}  // namespace cellmill::serve
