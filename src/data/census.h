#pragma once
// What is in a data set, counted in one pass: sizes of libraries, genes, labels and how they go
// together. Memory is bounded by genes, categories and pairs of categories, not by cells; parts of
// the data are counted apart and merged, in any order, to the same figures.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/faults.h"
#include "data/plan.h"
#include "data/spread.h"

namespace cellmill::data {

struct FieldCount {
  std::vector<std::int64_t> cells;     ///< by category, and last those without a label
  std::vector<std::int64_t> held_out;  ///< the same of the validation cells
};

/// Cells by the categories of two fields, the last place of each for no label; empty where there
/// are too many categories to count.
struct PairCount {
  std::size_t first = 0, second = 0;
  std::vector<std::int64_t> cells;
};

struct Census {
  std::int64_t cells = 0, held_out = 0, entries = 0;
  std::int64_t zeros = 0;       ///< stored all the same
  std::int64_t fractional = 0;  ///< values that are no whole number
  double largest = 0;
  Spread library;                        ///< sums of a cell's values, as they stand
  Spread counts_log;                     ///< sums of exp(x) - 1: the library, if values are log1p
  Spread genes;                          ///< entries above 0 of a cell
  std::vector<std::int64_t> gene_cells;  ///< cells in which a gene is above 0
  std::vector<FieldCount> fields;
  std::vector<PairCount> pairs;
  std::map<Fault, Faults::Count> faults;
  std::map<std::string, std::string> unreadable;  ///< error by chunk

  explicit Census(const Vocabulary& vocabulary);
  /// `validation`: one bit a cell of the data set, or null; `first_cell`: of the rows.
  void add(const Chunk& rows, const CellFilter* validation, std::int64_t first_cell);
  void merge(const Census& other);
};

/// Bytes to merge from on another rank, and back. The vocabularies must be equal.
std::string encode(const Census& census);
Census decode(const std::string& bytes, const Vocabulary& vocabulary);

struct CensusPlan {
  const CellFilter* validation = nullptr;
  Shard shard;               ///< this process's chunks of all
  std::int64_t threads = 1;  ///< each holds a few thousand rows, or a chunk that is read whole
};
/// Counts the chunks of a shard. Errors of a chunk are kept (`unreadable`), not thrown. `faults` is
/// what the source was opened with; it is taken into the census.
Census take_census(const ChunkSource& source, const CensusPlan& plan, const Faults* faults);

}  // namespace cellmill::data
