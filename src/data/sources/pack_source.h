#pragma once
// A store that `cellmill pack` made: coded rows read at their places, without HDF5 and in any
// thread. Chunks are runs of `chunk_cells` cells (whole blocks) of one shard.
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/expression.h"
#include "data/store/pack_store.h"

namespace cellmill::data {

class PackSource : public ChunkSource {
 public:
  /// Uses path, fields (empty: all), metadata (only "none": no labels), chunk_cells, raw_counts,
  /// verify. Throws DataError for damage and fields that are not there, UsageError (78) for options
  /// that a store cannot follow.
  explicit PackSource(const SourceOptions& options);
  const std::vector<ChunkInfo>& index() const override { return index_; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  bool reads_rows() const override { return true; }
  std::int64_t entries() const override { return store_.entries(); }
  /// Coded as they are in the store, unless counts are to be normalised.
  std::unique_ptr<HeldRows> hold() const override;
  std::int64_t bytes_held() const override;
  void expect(std::int64_t chunk, std::int64_t begin, std::int64_t end) const override;

 protected:
  std::int64_t append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                      Chunk& rows) const override;

 private:
  friend class PackRows;
  struct Run {
    std::size_t shard;
    std::int64_t begin;  // cell of the shard
  };
  void select_fields(const std::vector<std::string>& names);
  void cut_into_chunks(std::int64_t chunk_cells);

  Expression expression_;
  bool raw_counts_;
  Digests digests_;
  PackStore store_;
  Vocabulary vocabulary_;
  std::vector<LabelColumn> labels_;
  std::vector<ChunkInfo> index_;
  std::vector<Run> runs_;  // by chunk
};

}  // namespace cellmill::data
