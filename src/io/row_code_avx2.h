#pragma once
// The two inner loops of row_code.cpp by AVX2, and nobody else's. Without x86-64 they do not exist.
#include <cstdint>

namespace cellmill::io::avx2 {

bool supported();

/// Whole groups of 16 gaps; `done` says how many entries were decoded, and `last` the column of the
/// last of them (-1 before the first), `used` the escapes used. Stops before a group with an
/// escape, and at the end. False if a column reached `columns_end` (at most 2^30).
bool decode_gaps(const std::uint8_t* gaps, std::uint32_t entries, std::int32_t columns_end,
                 std::int32_t* columns, std::uint32_t& done, std::int32_t& last);

/// Values of all entries. False, with nothing written, if a code is not below `table_size`.
bool look_up(const std::uint8_t* codes, std::uint32_t entries, const std::uint8_t* table,
             std::uint32_t table_size, float* values);

}  // namespace cellmill::io::avx2
