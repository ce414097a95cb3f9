#include "data/chunk_source.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"

namespace cellmill::data {

void Chunk::append(const Chunk& other, std::int64_t begin, std::int64_t end) {
  const std::int64_t first = other.indptr[begin], last = other.indptr[end], held = entries();
  const auto fields =
      static_cast<std::ptrdiff_t>(other.labels.size()) / std::max<std::int64_t>(other.rows, 1);
  indices.insert(indices.end(), other.indices.begin() + first, other.indices.begin() + last);
  values.insert(values.end(), other.values.begin() + first, other.values.begin() + last);
  labels.insert(labels.end(), other.labels.begin() + begin * fields,
                other.labels.begin() + end * fields);
  if (indptr.empty()) indptr.push_back(0);
  for (std::int64_t row = begin; row < end; ++row)
    indptr.push_back(held + other.indptr[row + 1] - first);
  rows += end - begin;
}

std::int64_t ChunkSource::read(std::int64_t chunk, std::int64_t begin, std::int64_t end,
                               Chunk& rows) const {
  const ChunkInfo& info = index().at(static_cast<std::size_t>(chunk));
  if (begin < 0 || end < begin || end > info.rows)
    throw InternalError(
        fmt::format("{} has {} rows, not {} to {}", info.name, info.rows, begin, end));
  rows.genes = static_cast<std::int64_t>(vocabulary().genes.size());
  if (rows.indptr.empty()) rows.indptr.push_back(0);
  return append(info, begin, end, rows);
}

std::int64_t ChunkSource::cells() const {
  return index().empty() ? 0 : index().back().first_cell + index().back().rows;
}

std::int64_t ChunkSource::bytes_held() const {
  const auto fields = static_cast<std::int64_t>(vocabulary().fields.size());
  return 8 + 4 * fields + 8 * entries() / std::max<std::int64_t>(cells(), 1);
}

Chunk ChunkSource::load(std::int64_t id) const {
  Chunk chunk{.id = id};
  read(id, 0, index().at(static_cast<std::size_t>(id)).rows, chunk);
  return chunk;
}

std::vector<std::string> named_cells(const ChunkSource& source) {
  auto names = source.cell_names();
  if (names.empty())
    for (std::int64_t i = 0; i < source.cells(); ++i) names.push_back(fmt::format("cell{}", i));
  return names;
}

}  // namespace cellmill::data
