#include "data/plan.h"

#include <algorithm>

#include "base/error.h"
#include "base/random.h"

namespace cellmill::data {
namespace {

constexpr std::int64_t kBlocksAtLeast = 256;  // of a data set, so that tiny ones can be shared

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
  const std::int64_t block_cells =
      std::min(options.block_cells, std::max<std::int64_t>(1, total / kBlocksAtLeast));
  for (const ChunkInfo& chunk : index) {
    plan.first_cell_.push_back(chunk.first_cell);
    const std::int64_t size = options.block_cells > 0 ? block_cells : chunk.rows;
    for (std::int64_t begin = 0; begin < chunk.rows; begin += size) {
      const std::int64_t end = std::min(begin + size, chunk.rows);
      const auto cells = passing(filter, chunk.first_cell + begin, chunk.first_cell + end);
      const auto number = static_cast<std::int32_t>(plan.block_numbers_++);
      if (cells > 0)
        plan.blocks_.push_back({number, static_cast<std::int32_t>(chunk.id),
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

Plan::Range Plan::step_range(std::int64_t step) const {
  const std::int64_t first = step * options_.global_batch;
  return {first, first + step_cells(step)};
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
  const Share all = share(buffer, {});
  std::vector<CellRef> cells;
  cells.reserve(all.cells.size());
  for (const Cell& cell : all.cells) cells.push_back({all.blocks[cell.block].chunk, cell.row});
  return cells;
}

std::vector<std::int32_t> Plan::rows_of(const Block& block) const {
  std::vector<std::int32_t> rows;
  rows.reserve(block.cells);
  for (std::int32_t row = block.begin; row < block.end; ++row)
    if (!filter_ || (*filter_)[first_cell_[block.chunk] + row]) rows.push_back(row);
  return rows;
}

Plan::Share Plan::share(std::int64_t buffer, Shard shard) const {
  return options_.shuffle && options_.block_cells > 0 ? lanes(buffer, shard)
                                                      : slices(buffer, shard);
}

/// The k-th of the m cells of a block stands at (k + u) / m of the buffer, u drawn for the block.
Plan::Share Plan::lanes(std::int64_t buffer, Shard shard) const {
  const Block* const blocks = blocks_.data() + buffer_block_[buffer];
  const std::int64_t count = buffer_block_[buffer + 1] - buffer_block_[buffer];
  std::vector<std::uint64_t> order;  // place in the buffer (32 bits), block (32 bits)
  order.reserve(buffer_begin_[buffer + 1] - buffer_begin_[buffer]);
  for (std::int64_t b = 0; b < count; ++b) {
    const auto cells = static_cast<std::uint64_t>(blocks[b].cells);
    const std::uint64_t offset =
        random::bits(random::Use::kBlockOrder,
                     {options_.seed, word(epoch_), word(buffer), word(blocks[b].number)}) >>
        32;
    for (std::uint64_t k = 0; k < cells; ++k)
      order.push_back(((k << 32) + offset) / cells << 32 | word(b));
  }
  std::sort(order.begin(), order.end());

  const std::int64_t first = shard.begin(count), last = shard.end(count);
  Share share{{blocks + first, blocks + last}, {}};
  struct Lane {
    std::vector<std::pair<std::int32_t, std::int32_t>> rows;  // and which of the passing ones
    std::size_t next = 0;
  };
  std::vector<Lane> lanes(share.blocks.size());
  for (std::size_t b = 0; b < lanes.size(); ++b) {
    for (const std::int32_t row : rows_of(share.blocks[b]))
      lanes[b].rows.emplace_back(row, static_cast<std::int32_t>(lanes[b].rows.size()));
    random::shuffle(lanes[b].rows, random::Use::kCellOrder,
                    random::bits(random::Use::kCellOrder,
                                 {options_.seed, word(epoch_), word(share.blocks[b].number)}));
  }
  for (std::size_t place = 0; place < order.size(); ++place) {
    const auto block = static_cast<std::int64_t>(order[place] & 0xffffffff);
    if (block < first || block >= last) continue;
    Lane& lane = lanes[block - first];
    const auto [row, nth] = lane.rows[lane.next++];
    share.cells.push_back({static_cast<std::int32_t>(place),
                           static_cast<std::int32_t>(block - first), row, nth,
                           static_cast<std::int32_t>(shard.micro_shard(block, count))});
  }
  return share;
}

Plan::Range Plan::slice(std::int64_t step, Shard shard) const {
  const auto [first, end] = step_range(step);
  const std::int64_t size = end - first;
  return {first + shard.begin(size), first + shard.end(size)};
}

Plan::Share Plan::slices(std::int64_t buffer, Shard shard) const {
  const Block* const blocks = blocks_.data() + buffer_block_[buffer];
  const std::int64_t count = buffer_block_[buffer + 1] - buffer_block_[buffer];
  const auto [begin, end] = buffer_range(buffer);
  std::vector<Cell> cells;
  cells.reserve(end - begin);
  for (std::int64_t b = 0; b < count; ++b) {
    std::int32_t nth = 0;
    for (const std::int32_t row : rows_of(blocks[b]))
      cells.push_back({0, static_cast<std::int32_t>(b), row, nth++, 0});
  }
  if (options_.shuffle)
    random::shuffle(
        cells, random::Use::kCellOrder,
        random::bits(random::Use::kCellOrder, {options_.seed, word(epoch_), word(buffer)}));
  Share share;
  std::vector<std::int32_t> used(count, -1);
  for (std::int64_t place = begin; place < end;) {
    const std::int64_t step = place / options_.global_batch;
    const Range own = slice(step, shard), all = step_range(step);
    for (place = std::max(place, own.begin); place < std::min(end, own.end); ++place) {
      Cell cell = cells[place - begin];
      cell.place = static_cast<std::int32_t>(place - begin);
      cell.micro_shard =
          static_cast<std::int32_t>(shard.micro_shard(place - all.begin, all.end - all.begin));
      if (used[cell.block] < 0) {
        used[cell.block] = static_cast<std::int32_t>(share.blocks.size());
        share.blocks.push_back(blocks[cell.block]);
      }
      cell.block = used[cell.block];
      share.cells.push_back(cell);
    }
    place = all.end;
  }
  return share;
}

}  // namespace cellmill::data
