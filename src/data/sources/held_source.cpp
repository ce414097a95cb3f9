#include "data/sources/held_source.h"

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "base/format.h"

namespace cellmill::data {

HeldSource::HeldSource(const SourceOptions& options, std::shared_ptr<Faults> faults, HeldCells held)
    : path_(options.path),
      expression_(options.raw_counts, std::move(faults), options.takes_counts),
      held_(std::move(held)) {
  const std::int64_t cells = held_.cells.rows;
  for (std::int64_t begin = 0; begin < cells; begin += options.chunk_cells) {
    const auto rows = std::min(options.chunk_cells, cells - begin);
    index_.push_back({static_cast<std::int64_t>(index_.size()), rows, begin,
                      fmt::format("{}, samples {} to {}", path_, begin, begin + rows - 1)});
  }
}

std::int64_t HeldSource::append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                                Chunk& rows) const {
  const auto from = rows.rows;
  rows.append(held_.cells, chunk.first_cell + begin, chunk.first_cell + end);
  expression_.prepare(rows, path_, chunk.first_cell + begin, from);
  return 0;
}

Chunk transposed(const Chunk& chunk, std::int64_t columns) {
  Chunk out;
  out.rows = columns;
  out.genes = chunk.rows;
  out.indptr.assign(static_cast<std::size_t>(columns) + 1, 0);
  for (const auto column : chunk.indices) ++out.indptr[column + 1];
  std::partial_sum(out.indptr.begin(), out.indptr.end(), out.indptr.begin());
  auto next = out.indptr;
  out.indices.resize(chunk.indices.size());
  out.values.resize(chunk.values.size());
  for (std::int64_t row = 0; row < chunk.rows; ++row) {
    for (auto k = chunk.indptr[row]; k < chunk.indptr[row + 1]; ++k) {
      const auto to = next[chunk.indices[k]]++;
      out.indices[to] = static_cast<std::int32_t>(row);
      out.values[to] = chunk.values[k];
    }
  }
  return out;
}

std::int64_t known_among(const std::vector<std::string>& names,
                         const std::vector<std::string>& known) {
  const std::unordered_set<std::string_view> set(known.begin(), known.end());
  return std::ranges::count_if(names, [&](const auto& name) { return set.contains(name); });
}

}  // namespace cellmill::data
