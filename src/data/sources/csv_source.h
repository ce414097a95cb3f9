#pragma once
// A table of counts as text, .csv or .tsv, plain or gzipped: the first row names the columns, the
// first column the rows. A row is a gene or a sample: told by `orientation`, or found by which of
// the two has the names of `known_genes`, and said. Labels are the columns (of genes: the rows)
// that `fields` names. Read whole when it is opened.
#include "data/sources/held_source.h"

namespace cellmill::data {

bool is_csv(const std::string& path);

class CsvSource : public HeldSource {
 public:
  /// Uses path, orientation, known_genes, fields, raw_counts, chunk_cells. Throws DataError with
  /// line and column for what is no number, a row of another length, a field that is not there
  /// (with known_genes: it is left out), and where the orientation cannot be told.
  explicit CsvSource(const SourceOptions& options, std::shared_ptr<Faults> faults = {});
};

}  // namespace cellmill::data
