#include "data/draft.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <numeric>

namespace cellmill::data {
namespace {

constexpr std::int64_t kPieceCells = 256;
constexpr std::int64_t kStreamFrom = 16 << 20;  // bytes of a batch that no cache would keep

}  // namespace

Window::Window(std::shared_ptr<const Plan> of, std::int64_t number, Shard shard, bool whole)
    : plan(std::move(of)),
      buffer(number),
      places(plan->buffer_range(number)),
      whole_chunks(whole),
      share(plan->share(number, shard)) {
  const auto key = [&](std::int32_t b) {
    return whole_chunks ? share.blocks[b].chunk : share.blocks[b].number;
  };
  std::vector<std::int32_t> order(share.blocks.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return key(a) < key(b); });
  part_of_block.resize(order.size());
  for (const std::int32_t b : order) {
    if (parts.empty() || parts.back() != key(b)) {
      parts.push_back(key(b));
      block_of_part.push_back(b);
    }
    part_of_block[b] = static_cast<std::int32_t>(parts.size()) - 1;
  }
  rows.resize(parts.size());
}

double Window::started() const {
  return parts.empty() ? 1 : static_cast<double>(next_part) / static_cast<double>(parts.size());
}

std::int64_t Window::find(std::int32_t part) const {
  const auto found = std::lower_bound(parts.begin(), parts.end(), part);
  return found == parts.end() || *found != part ? -1 : found - parts.begin();
}

Draft::Draft(std::shared_ptr<const Plan> of, std::int64_t number, Shard whose)
    : plan(std::move(of)), step(number), shard(whose), places(plan->step_range(number)) {}

void Draft::group_by_micro_shard() {
  std::stable_sort(rows_.begin(), rows_.end(),
                   [](const Row& a, const Row& b) { return a.micro_shard < b.micro_shard; });
  batch.micro_shards.clear();
  for (auto s = shard.begin(shard.micro_shards); s <= shard.end(shard.micro_shards); ++s)
    batch.micro_shards.push_back(
        std::partition_point(rows_.begin(), rows_.end(),
                             [&](const Row& row) { return row.micro_shard < s; }) -
        rows_.begin());
}

void Draft::lay_out(const std::vector<std::shared_ptr<Window>>& windows, std::int64_t fields,
                    std::int64_t genes, BatchPool& pool) {
  std::int64_t entries = 0;
  for (const auto& window : windows) {
    const auto& cells = window->share.cells;
    const auto at = [&](std::int64_t place) {
      return std::partition_point(cells.begin(), cells.end(), [&](const Plan::Cell& cell) {
        return window->places.begin + cell.place < place;
      });
    };
    const auto end = at(places.end);
    for (auto cell = at(places.begin); cell != end; ++cell) {
      const HeldRows* rows = window->rows[window->part_of_block[cell->block]];
      const std::int64_t row = window->whole_chunks ? cell->row : cell->nth;
      const CellRef ref{window->share.blocks[cell->block].chunk, cell->row};
      rows_.push_back({rows, row, plan->cell_number(ref), cell->micro_shard});
      entries += rows->entries(row);
    }
  }
  const auto size = static_cast<std::int64_t>(rows_.size());
  batch = pool.take(size, entries, fields);
  batch.genes = genes;
  batch.global_cells = places.end - places.begin;
  batch.epoch = epoch();
  batch.step = step;
  if (shard.micro_shards > 0) group_by_micro_shard();
  auto* indptr = batch.indptr.mutable_data_ptr<std::int64_t>();
  *indptr = 0;
  for (const Row& row : rows_) {
    indptr[1] = *indptr + row.rows->entries(row.row);
    ++indptr;
  }
  pieces = (size + kPieceCells - 1) / kPieceCells;
}

void Draft::fill(std::int64_t piece) const {
  const std::int64_t first = piece * kPieceCells, fields = batch.labels.size(1),
                     last = std::min(first + kPieceCells, static_cast<std::int64_t>(rows_.size()));
  const auto* indptr = batch.indptr.const_data_ptr<std::int64_t>();
  auto* indices = batch.indices.mutable_data_ptr<std::int32_t>();
  auto* values = batch.values.mutable_data_ptr<float>();
  auto* labels = batch.labels.mutable_data_ptr<std::int64_t>() + first * fields;
  auto* numbers = batch.cells.mutable_data_ptr<std::int64_t>();
  const bool large = 8 * batch.values.numel() >= kStreamFrom;
  for (std::int64_t i = first; i < last; ++i, labels += fields) {
    const auto& [rows, row, number, micro_shard] = rows_[i];
    rows->put(row, {indices + indptr[i], values + indptr[i], labels, large});
    numbers[i] = number;
  }
}

}  // namespace cellmill::data
