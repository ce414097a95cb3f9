#pragma once
// A user's cells as a rank encoder reads them: sequences of tokens, in the order of the file, and
// labels by name. Read again as often as they are wanted, a chunk at a time, so that memory does
// not grow with their number. One thread calls; several rank.
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/gene_dictionary.h"
#include "data/rank_tokenizer.h"
#include "data/sequences.h"

namespace cellmill::infer {

struct RankedCellsOptions {
  std::string path;      ///< as data.path of a run file
  std::string metadata;  ///< npz: folder made by tools/preprocess_metadata; optional
  std::string genes;     ///< npz: text file, one name a line; empty: genes.txt beside it
  std::string layer;     ///< h5ad: X (empty), raw, or a layer's name
  std::string orientation = "auto";  ///< csv: auto | genes_by_samples | samples_by_genes
  std::vector<std::string> fields;   ///< labels that are wanted
};

class RankedCells {
 public:
  /// Opens and matches; logs what matched. Throws what open_source and RankTokenizer throw.
  RankedCells(const RankedCellsOptions& options, const data::GeneDictionary& dictionary,
              data::RankOptions ranks);

  std::int64_t cells() const { return source_->cells(); }
  /// The wanted fields with the file's categories, in the order asked for.
  const std::vector<data::Field>& fields() const { return source_->vocabulary().fields; }
  std::vector<std::string> names() const;
  const std::vector<std::string>& columns() const { return source_->vocabulary().genes; }
  const data::RankMatch& match() const { return tokenizer_->match(); }

  /// `labels`: codes [cells, fields] of the sequences, data::kMissing where unknown.
  using Visitor = std::function<void(std::int64_t first_cell, const data::Sequences& cells,
                                     std::span<const std::int32_t> labels)>;
  /// Every cell once, in order.
  void visit(const Visitor& use) const;
  /// The sequences of these cells, rising places.
  data::Sequences take(std::span<const std::int64_t> cells) const;

 private:
  void rank(const data::Chunk& rows, data::Sequences& sequences) const;

  std::string path_;
  std::unique_ptr<data::ChunkSource> source_;
  std::unique_ptr<data::RankTokenizer> tokenizer_;
};

}  // namespace cellmill::infer
