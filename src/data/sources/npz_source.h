#pragma once
// A folder of scipy CSR chunks, one .npz a chunk, with the label codes that
// tools/preprocess_metadata made of their metadata. Chunks are ordered by, and paired with their
// codes by, the number in the file's name. Opening reads shapes and checks that everything fits
// together; a file's row pointers and codes are read at its first use and kept. Rows of stored
// arrays are read at their place; a deflated file is read whole. File layout: the zdebruine lab's
// CELLxGENE census chunks.
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/expression.h"
#include "data/label_codes.h"
#include "io/csr_reader.h"

namespace cellmill::data {

class NpzSource : public ChunkSource {
 public:
  /// Uses path, pattern, metadata ("none": no labels), fields, genes, raw_counts. Throws DataError
  /// for files without a number (one file
  /// without labels needs none), of the same number, without codes, of another number of rows or
  /// columns than their codes and genes.
  /// `faults`: faulty values are counted there and left out, not refused.
  explicit NpzSource(const SourceOptions& options, std::shared_ptr<Faults> faults = {});
  const std::vector<ChunkInfo>& index() const override { return index_; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  bool reads_rows() const override { return reads_rows_; }
  std::int64_t entries() const override { return entries_; }
  void expect(std::int64_t chunk, std::int64_t begin, std::int64_t end) const override;

 private:
  struct File {
    std::mutex mutex;                           // of all below
    std::shared_ptr<const io::CsrReader> open;  // or none, if many others were used since
    std::vector<std::int64_t> indptr;           // empty: not read yet, as `codes`
    std::vector<std::int32_t> codes;            // [rows, fields]
  };
  std::int64_t append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                      Chunk& rows) const override;
  std::shared_ptr<const io::CsrReader> open(const ChunkInfo& chunk) const;
  void close_oldest(std::int64_t opened) const;
  void find_files(const SourceOptions& options);
  void check_codes() const;

  Expression expression_;
  std::optional<LabelCodes> codes_;
  Vocabulary vocabulary_;
  std::vector<ChunkInfo> index_;      // names are paths
  std::vector<std::int64_t> number_;  // by id
  bool reads_rows_ = true;
  std::int64_t entries_ = 0;
  std::unique_ptr<File[]> files_;  // by id
  mutable std::mutex opened_mutex_;
  mutable std::deque<std::int64_t> opened_;  // ids of open files, oldest first
};

}  // namespace cellmill::data
