#pragma once
// A folder as 10x's Cell Ranger writes it: matrix.mtx (genes x cells, Matrix Market coordinates),
// features.tsv or genes.tsv (id, symbol), barcodes.tsv, each plain or gzipped. Genes are named by
// symbol, or by id where `known_genes` has more of those; a name that comes twice gets -1, -2, as
// anndata's var_names_make_unique. No labels. Read whole when it is opened.
#include "data/sources/held_source.h"

namespace cellmill::data {

/// Such a folder, or the matrix.mtx in it.
bool is_mtx(const std::string& path);

class MtxSource : public HeldSource {
 public:
  /// Throws DataError for a file that is not there, an entry outside the matrix, numbers of genes
  /// or cells that do not agree.
  explicit MtxSource(const SourceOptions& options, std::shared_ptr<Faults> faults = {});
};

}  // namespace cellmill::data
