#include "data/row_check.h"

#include <limits>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
// A sanitizer is not ready yet when the loader resolves the clones.
#define CELLMILL_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CELLMILL_CLONES
#endif

namespace cellmill::data {

CELLMILL_CLONES bool rows_are_good(const std::int64_t* indptr, std::int64_t rows,
                                   const std::int32_t* indices, const float* values,
                                   std::int64_t genes) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  const auto columns = static_cast<std::uint32_t>(genes);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t size = indptr[r + 1] - indptr[r];
    const std::int32_t* column = indices + indptr[r];
    const float* value = values + indptr[r];
    std::uint32_t bad = 0;
    for (std::int64_t k = 0; k < size; ++k) {
      bad |= static_cast<std::uint32_t>(column[k]) < columns ? 0U : 1U;
      bad |= value[k] >= 0 ? 0U : 1U;
      bad |= value[k] <= kLargest ? 0U : 1U;
    }
    for (std::int64_t k = 1; k < size; ++k) bad |= column[k] > column[k - 1] ? 0U : 1U;
    if (bad != 0) return false;
  }
  return true;
}

}  // namespace cellmill::data
