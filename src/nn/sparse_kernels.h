#pragma once
// The inner loops of nn/sparse.cpp: float32, one thread, no allocation. Each function exists for
// several instruction sets in one binary; the loader picks (GCC's target_clones).
#include <cstdint>

namespace cellmill::nn {

/// Columns of a panel: a row's sums over them stay in registers.
inline constexpr std::int64_t kPanel = 64;
/// Rows of the dense matrix in a tile: tile x panel stays in the second-level cache.
inline constexpr std::int64_t kTile = 1024;

/// Rows [begin, end) of dense (unit stride along rows) into a packed panel [end - begin, kPanel],
/// filled up with zeros if `columns` is less.
void pack_panel(const float* dense, std::int64_t stride, std::int64_t begin, std::int64_t end,
                std::int64_t columns, float* panel);

/// The entries of some rows of a sparse matrix that fall into one tile.
struct TileEntries {
  const std::int64_t* first;  ///< by row: its first entry in the tile
  const std::int64_t* last;   ///< one past its last
  const std::int32_t* indices;
  const float* values;
  std::int64_t origin;  ///< index of the tile's first row of the dense matrix
};

/// y[r, 0:columns] (+)= sum over the entries of row r of value * panel[index - origin, 0:columns],
/// for `rows` rows; added to y if `add`, else y is overwritten. columns <= kPanel.
void multiply_tile(const TileEntries& x, std::int64_t rows, const float* panel,
                   std::int64_t columns, float* y, std::int64_t y_stride, bool add);

}  // namespace cellmill::nn
