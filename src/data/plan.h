#pragma once
// The shuffle as data. `make_plan` is pure: the order of cells is a function of (index, filter,
// seed, epoch, block and buffer sizes) alone, whatever the batch, the number of ranks, workers or
// restarts. Consecutive cells form blocks; blocks are put in a keyed order, and `buffer_cells`
// worth of them form a buffer. The cells of a block are put in a keyed order of their own, and the
// buffer's order takes from all its blocks in proportion, so every run of it holds nearly equal
// shares of them (stratified sampling). Global minibatches are consecutive runs of that order.
//
// A rank owns some blocks of a buffer and takes their cells of every minibatch: it reads 1/world of
// the bytes, and its share of a minibatch is near 1/world of the cells. Where there are no such
// blocks (whole chunks, or the order of the files) a rank takes a consecutive slice of each
// minibatch. Micro-shards are shares, too, of a number that the ranks have no part in: a rank takes
// whole ones. A plan holds blocks only: the cells of a buffer are computed when asked for.
#include <cstdint>
#include <vector>

#include "data/chunk.h"

namespace cellmill::data {

struct Shard {
  std::int64_t index = 0;
  std::int64_t count = 1;
  /// So many whole shares of the global batch are dealt to the `count` shards; 0: none, each shard
  /// is a share of its own.
  std::int64_t micro_shards = 0;

  /// Of n things in a row, this shard's first and one past its last.
  std::int64_t begin(std::int64_t n) const { return cut(n, index); }
  std::int64_t end(std::int64_t n) const { return cut(n, index + 1); }
  /// The micro-shard of the k-th of n things; 0 without.
  std::int64_t micro_shard(std::int64_t k, std::int64_t n) const {
    return micro_shards > 0 ? ((k + 1) * micro_shards - 1) / n : 0;
  }

 private:
  std::int64_t cut(std::int64_t n, std::int64_t k) const {
    return micro_shards > 0 ? n * (micro_shards * k / count) / micro_shards : n * k / count;
  }
};

/// A cell: chunk and row.
struct CellRef {
  std::int32_t chunk;
  std::int32_t row;
  bool operator==(const CellRef&) const = default;
};

struct PlanOptions {
  std::int64_t global_batch = 128;
  std::int64_t block_cells = 64;  ///< 0: a block is a whole chunk; at most 1/256 of the data set
  std::int64_t buffer_cells = 16384;  ///< 0: a buffer is one block
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
  Range step_range(std::int64_t step) const;  ///< its places in the global order

  std::int64_t buffers() const;
  /// The buffer that holds a place of the global order.
  std::int64_t buffer_of(std::int64_t place) const;
  Range buffer_range(std::int64_t buffer) const;  ///< its places
  /// All its cells, in order of place.
  std::vector<CellRef> buffer_cells(std::int64_t buffer) const;

  /// Rows [begin, end) of a chunk, of which `cells` pass the filter. `number` counts blocks in the
  /// order of the files and is the same in every epoch.
  struct Block {
    std::int32_t number, chunk, begin, end, cells;
  };
  struct Cell {
    std::int32_t place;  ///< from the buffer's first
    std::int32_t block;  ///< of Share::blocks
    std::int32_t row;    ///< of the chunk
    std::int32_t nth;    ///< of the block's rows that pass the filter
    std::int32_t micro_shard;
  };
  /// One rank's part of a buffer.
  struct Share {
    std::vector<Block> blocks;  ///< that have cells of it
    std::vector<Cell> cells;    ///< in order of place
  };
  Share share(std::int64_t buffer, Shard shard) const;
  std::int64_t block_numbers() const { return block_numbers_; }  ///< one more than the largest
  /// The rows of a block that pass the filter, rising.
  std::vector<std::int32_t> rows_of(const Block& block) const;
  /// Number of a cell in the data set.
  std::int64_t cell_number(CellRef cell) const { return first_cell_[cell.chunk] + cell.row; }

 private:
  friend Plan make_plan(const std::vector<ChunkInfo>&, const CellFilter*, std::int64_t,
                        const PlanOptions&);
  void fill_buffers();
  Range slice(std::int64_t step, Shard shard) const;
  Share lanes(std::int64_t buffer, Shard shard) const;
  Share slices(std::int64_t buffer, Shard shard) const;
  std::vector<Block> blocks_;               // in order of the epoch
  std::vector<std::int64_t> buffer_begin_;  // place of its first cell; and one past the end
  std::vector<std::int64_t> buffer_block_;  // its first block; and one past the end
  std::vector<std::int64_t> first_cell_;    // by chunk
  std::int64_t block_numbers_ = 0;
  const CellFilter* filter_ = nullptr;
  PlanOptions options_;
  std::int64_t epoch_ = 0;
};

/// The plan of one epoch. `filter`, if given, has one bit a cell of the data set, set for those
/// that take part, and must outlive the plan.
Plan make_plan(const std::vector<ChunkInfo>& index, const CellFilter* filter, std::int64_t epoch,
               const PlanOptions& options);

}  // namespace cellmill::data
