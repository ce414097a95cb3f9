#pragma once
// Files that are read whole when they are opened, as tables and 10x folders are: what all such
// sources share. The cells are held in memory as CSR, without normalisation.
#include <memory>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/expression.h"

namespace cellmill::data {

/// What a file held: `cells` has labels by `vocabulary.fields`.
struct HeldCells {
  Chunk cells;
  Vocabulary vocabulary;
  std::vector<std::string> names;  ///< of the cells
};

class HeldSource : public ChunkSource {
 public:
  HeldSource(const SourceOptions& options, std::shared_ptr<Faults> faults, HeldCells held);
  const std::vector<ChunkInfo>& index() const override { return index_; }
  const Vocabulary& vocabulary() const override { return held_.vocabulary; }
  bool reads_rows() const override { return true; }
  std::int64_t entries() const override { return held_.cells.entries(); }
  std::vector<std::string> cell_names() const override { return held_.names; }

 private:
  std::int64_t append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                      Chunk& rows) const override;

  std::string path_;
  Expression expression_;
  HeldCells held_;
  std::vector<ChunkInfo> index_;
};

/// Rows and columns of a CSR exchanged; `columns` of it become rows.
Chunk transposed(const Chunk& chunk, std::int64_t columns);

/// How many names are among those that are known.
std::int64_t known_among(const std::vector<std::string>& names,
                         const std::vector<std::string>& known);

}  // namespace cellmill::data
