#pragma once
// A folder of scipy CSR chunks, one .npz a chunk, with the label codes that
// tools/preprocess_metadata made of their metadata. Chunks are ordered by, and paired with their
// codes by, the number in the file's name. Opening reads shapes and checks that everything fits
// together; `load` reads one file. File layout: the zdebruine lab's CELLxGENE census chunks.
#include <optional>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/expression.h"
#include "data/label_codes.h"

namespace cellmill::data {

class NpzSource : public ChunkSource {
 public:
  /// Uses path, pattern, metadata ("none": no labels), fields, genes, raw_counts. Throws DataError
  /// for files without a number (one file
  /// without labels needs none), of the same number, without codes, of another number of rows or
  /// columns than their codes and genes.
  explicit NpzSource(const SourceOptions& options);
  const std::vector<ChunkInfo>& index() const override { return index_; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  Chunk load(std::int64_t id) const override;

 private:
  void find_files(const SourceOptions& options);
  void check_codes() const;

  Expression expression_;
  std::optional<LabelCodes> codes_;
  Vocabulary vocabulary_;
  std::vector<ChunkInfo> index_;      // names are paths
  std::vector<std::int64_t> number_;  // by id
};

}  // namespace cellmill::data
