#pragma once
// The promises of data/chunk.h tested in one pass at memory speed: it says whether all rows are
// good, not which is bad (data/expression.cpp looks for that, rarely). AVX2 or AVX-512 where the
// processor has them (by GCC's function clones), the same code for any other.
#include <cstdint>

namespace cellmill::data {

/// Of `rows` rows whose entries begin at indptr[0]: are all columns within [0, genes) and strictly
/// rising in their row, all values finite and >= 0?
bool rows_are_good(const std::int64_t* indptr, std::int64_t rows, const std::int32_t* indices,
                   const float* values, std::int64_t genes);

}  // namespace cellmill::data
