#pragma once
// The shuffle as data. `make_plan` is pure: the order of cells is a function of (index, filter,
// seed, epoch, block and buffer sizes) alone, whatever the batch, the number of ranks, workers or
// restarts. Consecutive cells form blocks; blocks are put in a keyed order, `buffer_cells` worth of
// them form a buffer, and the cells of a buffer are put in a keyed order. Global minibatches are
// consecutive runs of that order; a rank takes a consecutive slice of each. A plan holds blocks
// only: the cells of a buffer are computed when asked for.
#include <cstdint>
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
  bool operator==(const CellRef&) const = default;
};

struct PlanOptions {
  std::int64_t global_batch = 128;
  std::int64_t block_cells = 256;     ///< 0: a block is a whole chunk
  std::int64_t buffer_cells = 65536;  ///< 0: a buffer is one block
  bool shuffle = true;                ///< false: the order of the files (evaluation)
  std::uint64_t seed = 0;
};

/// Which cells take part: bit per cell of the data set, or all. See data/split.h.
using CellFilter = std::vector<bool>;

class Plan {
 public:
  std::int64_t epoch() const { return epoch_; }
  std::int64_t cells() const;  ///< cells of an epoch over all ranks
  std::int64_t steps() const;  ///< ceil(cells / global_batch), the same on all ranks
  std::int64_t step_cells(std::int64_t step) const;  ///< global size of a step
  struct Range {
    std::int64_t begin, end;
    bool operator==(const Range&) const = default;
  };
  /// Places [begin, end) in the global order of one rank's share of a step; shares of the ranks
  /// join without gap and differ in size by one at most. A share of a short step may be empty.
  Range share(std::int64_t step, Shard shard) const;

  std::int64_t buffers() const;
  /// The buffer that holds a place of the global order.
  std::int64_t buffer_of(std::int64_t place) const;
  Range buffer_range(std::int64_t buffer) const;                 ///< its places
  std::vector<CellRef> buffer_cells(std::int64_t buffer) const;  ///< its cells, in order of place
  std::vector<std::int32_t> buffer_chunks(
      std::int64_t buffer) const;  ///< distinct, as first needed
  /// Number of a cell in the data set.
  std::int64_t cell_number(CellRef cell) const { return first_cell_[cell.chunk] + cell.row; }

 private:
  friend Plan make_plan(const std::vector<ChunkInfo>&, const CellFilter*, std::int64_t,
                        const PlanOptions&);
  struct Block {
    std::int32_t chunk, begin, end, cells;  // rows [begin, end), of which `cells` pass the filter
  };
  void fill_buffers();
  std::vector<Block> blocks_;               // in order of the epoch
  std::vector<std::int64_t> buffer_begin_;  // place of its first cell; and one past the end
  std::vector<std::int64_t> buffer_block_;  // its first block; and one past the end
  std::vector<std::int64_t> first_cell_;    // by chunk
  const CellFilter* filter_ = nullptr;
  PlanOptions options_;
  std::int64_t epoch_ = 0;
};

/// The plan of one epoch. `filter`, if given, has one bit a cell of the data set, set for those
/// that take part, and must outlive the plan.
Plan make_plan(const std::vector<ChunkInfo>& index, const CellFilter* filter, std::int64_t epoch,
               const PlanOptions& options);

}  // namespace cellmill::data
