#pragma once
// The shuffle as data. `make_plan` is pure: the order of cells is a function of (index, seed,
// epoch, options) alone, whatever the number of ranks, workers or restarts. Consecutive cells form
// blocks; blocks are put in a keyed order, `buffer_cells` worth of them form a buffer, and the
// cells of a buffer are put in a keyed order. Global minibatches are consecutive runs of that
// order; a rank takes a consecutive slice of each. With block_cells = 0 a block is a whole chunk,
// and with buffer_cells = 0 as well a buffer is one chunk: the seed's own order.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/chunk.h"

namespace cellmill::data {

struct Shard {
  std::int64_t index = 0;
  std::int64_t count = 1;
};

/// A cell: chunk and row.
struct CellRef {
  std::int32_t chunk;
  std::int32_t row;
};

struct PlanOptions {
  std::int64_t global_batch = 128;
  std::int64_t block_cells = 256;
  std::int64_t buffer_cells = 65536;
  bool shuffle = true;  ///< false: the order of the files (evaluation)
  std::uint64_t seed = 0;
};

/// Which cells take part: bit per cell of the data set, or all. See data/split.h.
using CellFilter = std::vector<bool>;

class Plan {
 public:
  std::int64_t cells() const;  ///< cells of an epoch over all ranks
  std::int64_t steps() const;  ///< ceil(cells / global_batch), the same on all ranks
  std::int64_t step_cells(std::int64_t step) const;  ///< global size of a step
  struct Range {
    std::int64_t begin, end;
  };
  /// Places [begin, end) in the global order of one rank's share of a step; shares of the ranks
  /// join without gap.
  Range share(std::int64_t step, Shard shard) const;

  std::int64_t buffers() const;
  std::int64_t buffer_of(
      std::int64_t place) const;  ///< the buffer that holds a place of the global order
  Range buffer_range(std::int64_t buffer) const;                 ///< its places
  std::vector<CellRef> buffer_cells(std::int64_t buffer) const;  ///< its cells, in order of place

 private:
  friend Plan make_plan(const std::vector<ChunkInfo>&, const CellFilter*, std::int64_t,
                        const PlanOptions&);
  struct Block {
    std::int32_t chunk, begin, end;
    std::int64_t cells;
  };
  std::vector<Block> blocks_;  // in order of the epoch
  std::vector<std::int64_t>
      buffer_begin_;  // place of the first cell of each buffer, and one past the end
  std::vector<std::int64_t> buffer_block_;  // first block of each buffer, and one past the end
  std::vector<ChunkInfo> index_;
  const CellFilter* filter_ = nullptr;
  PlanOptions options_;
  std::int64_t epoch_ = 0;
};

/// The plan of one epoch. `filter`, if given, has one bit a cell of the data set, set for those
/// that take part, and must outlive the plan.
Plan make_plan(const std::vector<ChunkInfo>& index, const CellFilter* filter, std::int64_t epoch,
               const PlanOptions& options);

}  // namespace cellmill::data
