#pragma once
// A token store (store/token_store.h) as cells: the genes are those of its dictionary, by token,
// and a cell's values are places in its ranking, n for the first of n genes, 1 for the last.
// Special tokens are left out. So whatever reads cells reads ranked ones, and a RankTokenizer made
// with `ranked` gives the tokens back.
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/store/token_store.h"

namespace cellmill::data {

class TokenSource : public ChunkSource {
 public:
  /// Uses path, fields (empty: all), metadata ("none": no labels), chunk_cells, verify. Throws
  /// UsageError for raw_counts, DataError for what TokenStore refuses or a field that is not there.
  explicit TokenSource(const SourceOptions& options);
  const std::vector<ChunkInfo>& index() const override { return index_; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  bool reads_rows() const override { return true; }
  std::int64_t entries() const override;
  std::vector<std::string> cell_names() const override { return store_.names(); }
  void expect(std::int64_t chunk, std::int64_t begin, std::int64_t end) const override;
  const TokenStore& store() const { return store_; }

 private:
  std::int64_t append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                      Chunk& rows) const override;
  void append_cell(std::span<const std::int32_t> tokens, std::int64_t cell,
                   std::vector<std::int32_t>& rank, Chunk& rows) const;
  void select_fields(const std::vector<std::string>& wanted);

  TokenStore store_;
  Vocabulary vocabulary_;
  std::vector<std::int32_t> column_;  // by token; -1: no gene
  std::vector<std::size_t> fields_;   // of the store, by field
  std::vector<ChunkInfo> index_;
};

}  // namespace cellmill::data
