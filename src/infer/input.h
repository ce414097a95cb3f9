#pragma once
// A user's cells as a model wants them: columns matched to the model's genes by name, labels by
// the text of the category, in the order of the file. What does not fit is counted and said, never
// guessed: a missing gene is 0, a missing field or unknown category is a missing label. One thread.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/batch.h"
#include "data/chunk_source.h"
#include "infer/gene_match.h"

namespace cellmill::infer {

struct InputOptions {
  std::string path;      ///< as data.path of a run file
  std::string metadata;  ///< npz: folder made by tools/preprocess_metadata; optional
  std::string genes;     ///< npz: text file, one name a line; empty: genes.txt beside it
  std::string layer;     ///< h5ad: X (empty), raw, or a layer's name
  std::string orientation = "auto";  ///< csv: auto | genes_by_samples | samples_by_genes
  bool raw_counts = false;           ///< normalise to log1p of counts per 10,000
  bool takes_counts = false;         ///< the model wants counts as they are
  bool takes_ranks = false;          ///< the model reads a token store as well
  double min_overlap = 0.5;          ///< of the model's genes
  std::vector<std::string> columns;  ///< "field=column": the input's name for a field of the model
  bool needs_labels = true;          ///< a field without labels is warned of
  std::int64_t batch_cells = 256;
  /// Genes of the input, in the model or not, whose values are wanted as well; one of several names
  /// each ("XIST|ENSG00000229807").
  std::vector<std::string> watched;
};

/// A batch in the model's genes and codes, and the labels as the input has them.
struct Cells {
  data::Batch batch;              ///< on the host; `cells` are places in the input
  std::vector<std::int32_t> own;  ///< [B, F] codes in Input::fields(), -1 = missing
  std::vector<double> watched;    ///< [B, watched] per million of the cell's total; absent: NaN
};

class Input {
 public:
  /// Opens and matches; logs what matched. Throws what open_source throws, and DataError if too few
  /// genes are there.
  Input(const InputOptions& options, const data::Vocabulary& model);

  std::int64_t cells() const { return cells_; }
  const std::vector<std::string>& names() const { return names_; }  ///< of the cells
  const GeneMatch& genes() const { return genes_; }
  /// The model's fields in its order, with the input's own categories (none: no such field).
  const std::vector<data::Field>& fields() const { return fields_; }
  bool has_field(std::size_t field) const { return label_column_[field] >= 0; }

  /// The next cells, or nothing at the end.
  std::optional<Cells> next();
  /// After the end: a sentence for every field with labels that the model does not know.
  std::vector<std::string> label_notes() const;

 private:
  void match_labels(const data::Vocabulary& model, const data::Vocabulary& input);
  void load_chunk(std::int64_t id);
  void watch(const data::Chunk& loaded);
  Cells slice(std::int64_t begin, std::int64_t end);

  InputOptions options_;
  std::unique_ptr<data::ChunkSource> source_;
  std::int64_t cells_ = 0, model_genes_ = 0;
  std::vector<std::string> names_;
  GeneMatch genes_;
  std::vector<data::Field> fields_;
  std::vector<std::int64_t> label_column_;       // of each model field in the chunk's labels
  std::vector<std::vector<std::int32_t>> code_;  // [field][own code]: the model's
  std::vector<std::vector<std::int64_t>> seen_;  // [field][own code]: cells
  std::vector<std::int32_t> watched_column_;     // of each watched gene, -1: absent
  std::vector<double> watched_;                  // [rows of the chunk, watched]
  data::Chunk chunk_;
  std::int64_t next_chunk_ = 0, next_row_ = 0, first_cell_ = 0;
};

/// Whole numbers only, one of them above log1p(10,000): no logarithm of counts per 10,000.
bool looks_like_counts(const data::Chunk& chunk);

/// Columns renamed and dropped by `column` (-1), rows sorted again.
data::Chunk with_columns(const data::Chunk& chunk, const std::vector<std::int32_t>& column,
                         std::int64_t genes);

}  // namespace cellmill::infer
