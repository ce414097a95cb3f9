#pragma once
// Rows of a packed store as a loader holds them: coded, as they stand in their blocks, whose
// digests are compared when they are read; decoded when a batch takes them.
#include <span>
#include <vector>

#include "base/unset_vector.h"
#include "data/held_rows.h"
#include "data/sources/pack_source.h"

namespace cellmill::data {

class PackRows : public HeldRows {
 public:
  explicit PackRows(const PackSource& source) : source_(source) {}
  std::int64_t read(std::int64_t chunk, std::span<const std::int32_t> rows) override;
  void clear() override;
  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t bytes() const override;
  std::int64_t entries(std::int64_t row) const override { return rows_[row].entries; }
  void put(std::int64_t row, const Target& target) const override;

 private:
  struct Row {
    const PackFile* shard;
    std::int64_t cell;  // of the shard
    std::size_t begin;  // in bytes_
    std::uint32_t size, entries;
  };
  void append(const PackFile& shard, const BlockView& block, std::int64_t first, std::int64_t cell);

  const PackSource& source_;
  std::vector<Row> rows_;
  UnsetVector<std::uint8_t> bytes_;
  std::vector<std::int32_t> labels_;  // [rows, fields]

 public:
  /// Most bytes that a cell takes here and not in the store.
  static constexpr std::int64_t kBytesMore = sizeof(Row);
};

}  // namespace cellmill::data
