#include "data/sources/pack_rows.h"

#include <algorithm>
#include <cstring>

#include "data/stream_copy.h"

namespace cellmill::data {

std::int64_t PackRows::read(std::int64_t chunk, std::span<const std::int32_t> rows) {
  const auto& run = source_.runs_[chunk];
  const PackFile& shard = source_.store_.shards[run.shard];
  const auto expected = static_cast<std::int64_t>(rows.size()) * source_.bytes_held();
  bytes_.reserve(bytes_.size() + static_cast<std::size_t>(expected + expected / 8));
  std::int64_t bytes = 0;
  for (std::size_t i = 0, j = 0; i < rows.size(); i = j) {
    const auto cell = [&](std::size_t k) { return run.begin + rows[k]; };
    for (j = i + 1; j < rows.size() && cell(j) / kBlockRows <= cell(j - 1) / kBlockRows + 1;) ++j;
    bytes += shard.for_blocks(cell(i), cell(j - 1) + 1, source_.digests_,
                              [&](const BlockView& block, std::int64_t first) {
                                for (; i < j && cell(i) < first + block.rows(); ++i)
                                  append(shard, block, first, cell(i));
                              });
  }
  return bytes;
}

void PackRows::append(const PackFile& shard, const BlockView& block, std::int64_t first,
                      std::int64_t cell) {
  const std::int64_t row = cell - first;
  const auto genes = static_cast<std::int64_t>(source_.vocabulary_.genes.size());
  const auto coded = block.row(row);
  rows_.push_back({&shard, cell, bytes_.size(), static_cast<std::uint32_t>(coded.size()),
                   block.parse(row, genes).entries});
  bytes_.resize(bytes_.size() + coded.size());  // `insert` would go byte by byte
  std::memcpy(bytes_.data() + rows_.back().begin, coded.data(), coded.size());
  const std::size_t held = labels_.size();
  labels_.resize(held + source_.labels_.size());
  block.copy_labels(row, source_.labels_, labels_.data() + held);
}

void PackRows::clear() {
  rows_.clear();
  bytes_.clear();
  labels_.clear();
}

std::int64_t PackRows::bytes() const {
  return static_cast<std::int64_t>(rows_.size() * sizeof(Row) + bytes_.size() + labels_.size() * 4);
}

void PackRows::put(std::int64_t row, const Target& to) const {
  thread_local UnsetVector<std::int32_t> columns;
  thread_local UnsetVector<float> values;
  const Row& held = rows_[row];
  const auto genes = static_cast<std::int64_t>(source_.vocabulary_.genes.size());
  io::CodedRow coded;
  const char* wrong = io::parse_row({bytes_.data() + held.begin, held.size}, coded);
  if (to.past_caches) {
    columns.resize(held.entries);
    values.resize(held.entries);
  }
  if (wrong == nullptr)
    wrong = io::decode_row(coded, genes, to.past_caches ? columns.data() : to.columns,
                           to.past_caches ? values.data() : to.values);
  if (wrong != nullptr)
    throw no_row(held.shard->path(), static_cast<std::uint64_t>(held.cell / kBlockRows),
                 held.cell % kBlockRows, wrong);
  if (to.past_caches) {
    stream_copy(to.columns, columns.data(), 4 * std::size_t{held.entries});
    stream_copy(to.values, values.data(), 4 * std::size_t{held.entries});
  }
  const std::size_t fields = source_.labels_.size();
  std::copy_n(labels_.data() + row * static_cast<std::int64_t>(fields), fields, to.labels);
}

}  // namespace cellmill::data
