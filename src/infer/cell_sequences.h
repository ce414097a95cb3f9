#pragma once
// A user's cells as token sequences, in the order of the file: raw counts of any source, ranked on
// the way, or a token store. What a model of genes cannot read is refused: values that are no
// counts, genes without a name, no gene in common. One thread.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/rank_tokenizer.h"
#include "data/sequences.h"

namespace cellmill::infer {

struct CellsOptions {
  std::string path;         ///< as data.path of a run file
  std::string metadata;     ///< npz: folder made by tools/preprocess_metadata; optional
  std::string genes;        ///< npz: text file, one name a line; empty: genes.txt beside it
  std::string layer;        ///< h5ad: X (empty), raw, or a layer's name
  std::string gene_column;  ///< h5ad: column of var that names genes; empty: its index
  std::string orientation = "auto";  ///< csv: auto | genes_by_samples | samples_by_genes
  /// Labels to keep; empty: all categories that an h5ad, a store or a metadata folder has.
  std::vector<std::string> columns;
  bool fractions = false;  ///< values need not be whole numbers
  int threads = 1;         ///< that rank
};

class CellSequences {
 public:
  /// Opens and matches; logs what matched. Throws what open_source throws, and DataError for what
  /// is refused.
  CellSequences(const CellsOptions& options, const data::GeneDictionary& dictionary,
                data::RankOptions ranks);

  std::int64_t cells() const { return cells_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<data::Field>& fields() const { return source_->vocabulary().fields; }

  struct Part {
    data::Sequences sequences;
    std::vector<std::int32_t> labels;  ///< [cells, fields]
  };
  /// Cells [begin, end).
  Part read(std::int64_t begin, std::int64_t end);

 private:
  bool ranked() const { return source_->vocabulary().ranked; }
  /// The rows of a chunk, which is kept where a part of it costs the whole.
  const data::Chunk& rows(std::int64_t chunk, std::int64_t begin, std::int64_t end);

  CellsOptions options_;
  std::unique_ptr<data::ChunkSource> source_;
  std::unique_ptr<data::RankTokenizer> tokenizer_;
  std::int64_t cells_ = 0, kept_ = -1;
  data::Chunk chunk_;
  std::vector<std::string> names_, genes_;
};

}  // namespace cellmill::infer
