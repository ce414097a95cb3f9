#pragma once
// What an Assembler works on: windows, a rank's parts of the plan's buffers, and drafts, the
// batches that are made of their cells. Both are values without threads; the Assembler says who may
// touch them.
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "data/batch.h"
#include "data/batch_pool.h"
#include "data/held_rows.h"
#include "data/plan.h"

namespace cellmill::data {

struct Window {
  /// `whole_chunks`: a part is a chunk, not a block of the plan.
  Window(std::shared_ptr<const Plan> plan, std::int64_t buffer, Shard shard, bool whole_chunks);
  std::int64_t epoch() const { return plan->epoch(); }
  double started() const;  ///< how much of it was begun to be read, 0 to 1
  /// Which of its parts that is, or -1.
  std::int64_t find(std::int32_t part) const;

  const std::shared_ptr<const Plan> plan;
  const std::int64_t buffer;
  const Plan::Range places;
  const bool whole_chunks;
  Plan::Share share;
  std::vector<std::int32_t> parts;          // numbers in the store, in the order of the files
  std::vector<std::int32_t> block_of_part;  // one of its blocks, of share.blocks
  std::vector<std::int32_t> part_of_block;  // its place in `parts`, by share.blocks
  std::vector<const HeldRows*> rows;        // by `parts`, once they are there
  std::size_t next_part = 0;                // all before it are read or being read
  std::size_t next_expected = 0;            // all before it were asked for ahead
  std::int64_t waiting = 0;                 // parts that are not there yet
  std::exception_ptr error;
};

struct Draft {
  enum class Stage { kWaiting, kLayingOut, kFilling, kReady, kFailed };
  Draft(std::shared_ptr<const Plan> plan, std::int64_t step, Shard shard);
  std::int64_t epoch() const { return plan->epoch(); }
  /// Finds the batch's cells in windows that are there, in order of micro-shard and place, and its
  /// memory.
  void lay_out(const std::vector<std::shared_ptr<Window>>& windows, std::int64_t fields,
               std::int64_t genes, BatchPool& pool);
  /// Fills one of `pieces` cell ranges; any number of threads, each its own piece. Throws what
  /// HeldRows::put throws.
  void fill(std::int64_t piece) const;

  const std::shared_ptr<const Plan> plan;
  const std::int64_t step;
  const Shard shard;
  const Plan::Range places;
  Stage stage = Stage::kWaiting;
  std::exception_ptr error;
  Batch batch;
  std::int64_t pieces = 0, next_piece = 0, pieces_done = 0;

 private:
  struct Row {
    const HeldRows* rows;
    std::int64_t row, number, micro_shard;
  };
  void group_by_micro_shard();
  std::vector<Row> rows_;
};

}  // namespace cellmill::data
