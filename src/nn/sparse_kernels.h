#pragma once
// The inner loops of nn/sparse.cpp: float32, one thread, no allocation.
// Each function exists for several instruction sets in one binary; the loader picks (GCC's
// target_clones).
#include <cstdint>

namespace cellmill::nn {

/// Columns of a panel: a row's sums over them stay in registers.
inline constexpr std::int64_t kPanel = 64;

/// Rows [begin, end) of dense (unit stride along rows) into a packed panel [end - begin, kPanel],
/// filled up with zeros if `columns` is less.
void pack_panel(const float* dense, std::int64_t stride, std::int64_t begin, std::int64_t end,
                std::int64_t columns, float* panel);

struct StripEntry {
  std::int32_t place;  ///< kPanel * the row of the panel
  float value;
};

/// y[r, 0:kPanel] (+)= sum of value * panel[row] over the entries of row r, for `rows` rows; added
/// to y if `add`, else y is overwritten. Row r has counts[r] entries; they lie one behind the
/// other. Returns where they end.
const StripEntry* multiply_strip(const StripEntry* entries, const std::int32_t* counts,
                                 std::int64_t rows, const float* panel, float* y,
                                 std::int64_t y_stride, bool add);

}  // namespace cellmill::nn
