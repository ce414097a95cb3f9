#pragma once
// One AnnData file: X, raw/X or a layer, as CSR or dense; labels from columns of obs; chunks are
// runs of `chunk_cells` rows. Row pointers and labels are kept, entries are read by ranges, around
// the HDF5 library where their layout allows it (io/hdf5_elements.h). Format: anndata "On-disk
// format" (csr_matrix, array, dataframe, categorical).
#include <optional>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/expression.h"
#include "io/hdf5.h"
#include "io/hdf5_elements.h"

namespace cellmill::data {

class H5adSource : public ChunkSource {
 public:
  /// Uses path, layer, fields (must be named unless metadata is "none"), metadata (a folder whose
  /// metadata_vocab.json gives the order of categories), chunk_cells, raw_counts. Throws DataError
  /// for a matrix that is csc (with the line that converts), a layer or column that is not there,
  /// lengths that do not agree.
  /// `faults`: faulty values are counted there and left out, not refused.
  explicit H5adSource(const SourceOptions& options, std::shared_ptr<Faults> faults = {});
  const std::vector<ChunkInfo>& index() const override { return index_; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  bool reads_rows() const override { return true; }
  std::int64_t entries() const override { return entries_; }
  std::vector<std::string> cell_names() const override;
  void expect(std::int64_t chunk, std::int64_t begin, std::int64_t end) const override;

 private:
  std::pair<std::int64_t, std::int64_t> open_matrix(const SourceOptions& options);
  void read_labels(const SourceOptions& options, std::int64_t cells);
  std::int64_t append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                      Chunk& rows) const override;
  std::int64_t append_csr(std::int64_t begin, std::int64_t end, Chunk& rows) const;
  std::int64_t append_dense(std::int64_t begin, std::int64_t end, Chunk& rows) const;

  io::H5File file_;
  Expression expression_;
  std::string matrix_;  // its place in the file
  bool sparse_ = true;
  std::int64_t entries_ = 0;
  std::vector<std::int64_t> indptr_;  // of a sparse matrix, as the file has it
  std::optional<io::H5Elements<std::int32_t>> indices_;
  std::optional<io::H5Elements<float>> values_;
  Vocabulary vocabulary_;
  std::vector<ChunkInfo> index_;
  std::vector<std::vector<std::int32_t>> codes_;  // [field][cell]
};

}  // namespace cellmill::data
