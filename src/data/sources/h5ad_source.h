#pragma once
// One AnnData file: X, raw/X or a layer, as CSR or dense; labels from columns of obs; chunks are
// runs of `chunk_cells` rows read by ranges, so memory does not grow with the file. Format: anndata
// "On-disk format" (csr_matrix, array, dataframe, categorical).
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/expression.h"
#include "io/hdf5.h"

namespace cellmill::data {

class H5adSource : public ChunkSource {
 public:
  /// Uses path, layer, fields (must be named unless metadata is "none"), metadata (a folder whose
  /// metadata_vocab.json gives the order of categories), chunk_cells, raw_counts. Throws DataError
  /// for a matrix that is csc (with the line that converts), a layer or column that is not there,
  /// lengths that do not agree.
  explicit H5adSource(const SourceOptions& options);
  const std::vector<ChunkInfo>& index() const override { return index_; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  Chunk load(std::int64_t id) const override;

 private:
  std::pair<std::int64_t, std::int64_t> open_matrix(const SourceOptions& options);
  void read_labels(const SourceOptions& options, std::int64_t cells);
  void read_csr_rows(std::int64_t begin, std::int64_t end, Chunk& chunk) const;
  void read_dense_rows(std::int64_t begin, std::int64_t end, Chunk& chunk) const;

  io::H5File file_;
  Expression expression_;
  std::string matrix_;  // its place in the file
  bool sparse_ = true;
  std::int64_t entries_ = 0;  // stored ones of a sparse matrix
  Vocabulary vocabulary_;
  std::vector<ChunkInfo> index_;
  std::vector<std::vector<std::int32_t>> codes_;  // [field][cell]
};

}  // namespace cellmill::data
