#include "data/plan.h"

#include <algorithm>

#include "base/error.h"
#include "base/random.h"

namespace cellmill::data {
namespace {

std::uint64_t word(std::int64_t x) { return static_cast<std::uint64_t>(x); }

std::int32_t passing(const CellFilter* filter, std::int64_t begin, std::int64_t end) {
  if (!filter) return static_cast<std::int32_t>(end - begin);
  return static_cast<std::int32_t>(
      std::count(filter->begin() + begin, filter->begin() + end, true));
}

}  // namespace

Plan make_plan(const std::vector<ChunkInfo>& index, const CellFilter* filter, std::int64_t epoch,
               const PlanOptions& options) {
  if (options.global_batch < 1) throw InternalError("a plan needs a batch of at least one cell");
  const std::int64_t total = index.empty() ? 0 : index.back().first_cell + index.back().rows;
  if (filter && static_cast<std::int64_t>(filter->size()) != total)
    throw InternalError("the cell filter has another length than the data set");
  Plan plan;
  plan.filter_ = filter;
  plan.options_ = options;
  plan.epoch_ = epoch;
  plan.first_cell_.reserve(index.size());
  for (const ChunkInfo& chunk : index) {
    plan.first_cell_.push_back(chunk.first_cell);
    const std::int64_t size = options.block_cells > 0 ? options.block_cells : chunk.rows;
    for (std::int64_t begin = 0; begin < chunk.rows; begin += size) {
      const std::int64_t end = std::min(begin + size, chunk.rows);
      const auto cells = passing(filter, chunk.first_cell + begin, chunk.first_cell + end);
      if (cells > 0)
        plan.blocks_.push_back({static_cast<std::int32_t>(chunk.id),
                                static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end),
                                cells});
    }
  }
  if (options.shuffle)
    random::shuffle(plan.blocks_, random::Use::kBlockOrder,
                    random::bits(random::Use::kBlockOrder, {options.seed, word(epoch)}));
  plan.fill_buffers();
  return plan;
}

void Plan::fill_buffers() {
  std::int64_t place = 0;
  std::int64_t held = options_.buffer_cells;
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    if (held >= options_.buffer_cells) {
      buffer_begin_.push_back(place);
      buffer_block_.push_back(static_cast<std::int64_t>(b));
      held = 0;
    }
    held += blocks_[b].cells;
    place += blocks_[b].cells;
  }
  buffer_begin_.push_back(place);
  buffer_block_.push_back(static_cast<std::int64_t>(blocks_.size()));
}

std::int64_t Plan::cells() const { return buffer_begin_.back(); }

std::int64_t Plan::steps() const {
  return (cells() + options_.global_batch - 1) / options_.global_batch;
}

std::int64_t Plan::step_cells(std::int64_t step) const {
  return std::min(options_.global_batch, cells() - step * options_.global_batch);
}

Plan::Range Plan::share(std::int64_t step, Shard shard) const {
  const std::int64_t first = step * options_.global_batch, size = step_cells(step);
  return {first + size * shard.index / shard.count, first + size * (shard.index + 1) / shard.count};
}

std::int64_t Plan::buffers() const { return static_cast<std::int64_t>(buffer_begin_.size()) - 1; }

std::int64_t Plan::buffer_of(std::int64_t place) const {
  return std::upper_bound(buffer_begin_.begin(), buffer_begin_.end() - 1, place) -
         buffer_begin_.begin() - 1;
}

Plan::Range Plan::buffer_range(std::int64_t buffer) const {
  return {buffer_begin_[buffer], buffer_begin_[buffer + 1]};
}

std::vector<CellRef> Plan::buffer_cells(std::int64_t buffer) const {
  std::vector<CellRef> cells;
  cells.reserve(buffer_begin_[buffer + 1] - buffer_begin_[buffer]);
  for (std::int64_t b = buffer_block_[buffer]; b < buffer_block_[buffer + 1]; ++b)
    for (std::int32_t row = blocks_[b].begin; row < blocks_[b].end; ++row)
      if (!filter_ || (*filter_)[first_cell_[blocks_[b].chunk] + row])
        cells.push_back({blocks_[b].chunk, row});
  if (options_.shuffle)
    random::shuffle(
        cells, random::Use::kCellOrder,
        random::bits(random::Use::kCellOrder, {options_.seed, word(epoch_), word(buffer)}));
  return cells;
}

std::vector<std::int32_t> Plan::buffer_chunks(std::int64_t buffer) const {
  std::vector<std::int32_t> chunks;
  std::vector<bool> seen(first_cell_.size());
  for (std::int64_t b = buffer_block_[buffer]; b < buffer_block_[buffer + 1]; ++b)
    if (!seen[blocks_[b].chunk]) {
      seen[blocks_[b].chunk] = true;
      chunks.push_back(blocks_[b].chunk);
    }
  return chunks;
}

}  // namespace cellmill::data
