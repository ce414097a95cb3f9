#pragma once
// The inner loops of nn/sparse.cpp: float32, one thread, no allocation. Each function exists for
// several instruction sets in one binary; the loader picks (GCC's target_clones).
#include <cstdint>

namespace cellmill::nn {

/// Columns that one sweep over the entries of a row makes: a sweep keeps them in registers.
inline constexpr std::int64_t kPanel = 64;

/// CSR, or CSC read as the CSR of the transpose.
struct Rows {
  const std::int64_t* indptr;
  const std::int32_t* indices;
  const float* values;
};

/// y[r, 0:columns] = sum over entries k of row r of values[k] * m[indices[k], 0:columns], for rows
/// [begin, end); columns <= kPanel. Leading dimensions in elements.
void multiply_panel(const Rows& x, std::int64_t begin, std::int64_t end, const float* m,
                    std::int64_t m_stride, std::int64_t columns, float* y, std::int64_t y_stride);

}  // namespace cellmill::nn
