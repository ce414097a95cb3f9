#pragma once
// Where cells come from: one class a file format, found by `open_source` in the table of
// source_table.cpp. To add a format write sources/x_source.{h,cpp} and one line in the table;
// prefetching, shuffling and resuming come with it.
#include <memory>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "data/held_rows.h"

namespace cellmill::config {
class Schema;
}

namespace cellmill::data {

class ChunkSource {
 public:
  virtual ~ChunkSource() = default;
  /// All chunks, ids 0..n-1 in order, first_cell rising. Never changes.
  virtual const std::vector<ChunkInfo>& index() const = 0;
  virtual const Vocabulary& vocabulary() const = 0;
  /// Appends rows [begin, end) of a chunk to `rows`, as data/chunk.h promises them: checked,
  /// normalised if the options say so, with labels. `rows` may hold rows of any chunk (its id is
  /// not touched) and reuses its memory; after an error clear it. Returns the bytes that were read
  /// from files. Thread-safe. Throws DataError with file, row of the file, column.
  std::int64_t read(std::int64_t chunk, std::int64_t begin, std::int64_t end, Chunk& rows) const;
  /// The whole chunk.
  Chunk load(std::int64_t id) const;
  /// Does reading a part of a chunk cost its share? If not, any part costs the whole chunk, and
  /// whole chunks should be kept.
  virtual bool reads_rows() const = 0;
  /// Stored entries of all rows, to size memory by before reading; a guess where the files do not
  /// say.
  virtual std::int64_t entries() const = 0;
  /// Empty rows for a loader to hold, in the form that this source gives fastest; it must outlive
  /// them. CSR, unless a source knows better.
  virtual std::unique_ptr<HeldRows> hold() const { return csr_rows(*this); }
  /// One a cell, where the files name them; else empty.
  virtual std::vector<std::string> cell_names() const { return {}; }
  /// Bytes of a cell that is held so, on average.
  virtual std::int64_t bytes_held() const;
  /// Cells of all chunks.
  std::int64_t cells() const;
  /// A hint that these rows will be read soon: starts reading them from disk, returns at once.
  virtual void expect(std::int64_t /*chunk*/, std::int64_t /*begin*/, std::int64_t /*end*/) const {}

 protected:
  /// As `read`, which has checked the range, set `rows.genes` and seen to it that `rows.indptr`
  /// begins with 0.
  virtual std::int64_t append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                              Chunk& rows) const = 0;
};

/// Names of all cells; cell0, cell1 ... where the files have none.
std::vector<std::string> named_cells(const ChunkSource& source);

/// What to read. Described in the run file as `data:`.
struct SourceOptions {
  std::string format = "auto";    ///< auto | pack | npz | h5ad | mtx | csv | tokens | synthetic
  std::string path;               ///< folder of chunks or shards, or one file
  std::string pattern = "*.npz";  ///< npz: which files of the folder
  std::string metadata;  ///< folder made by tools/preprocess_metadata; empty: <path>/preproc;
                         ///< none: cells without labels
  std::vector<std::string>
      fields;         ///< conditioning fields; empty: those marked `using` (h5ad: needed)
  std::string genes;  ///< npz: text file, one name a line; empty: <path>/genes.txt
  std::string layer;  ///< h5ad: X (empty), raw, or a layer's name
  std::int64_t chunk_cells = 4096;  ///< pack, h5ad, synthetic: cells a chunk
  bool verify = true;               ///< compare digests: of label codes, of a store's blocks
  bool raw_counts = false;  ///< the values are counts: normalise to log1p of counts per 10,000
  std::string orientation = "auto";  ///< csv: auto | genes_by_samples | samples_by_genes
  // Not settings, but what the asker knows.
  std::vector<std::string> known_genes;  ///< tells names of genes from others in a table
  bool takes_counts = false;             ///< the model normalises counts itself
  bool labels_optional = false;          ///< no fields named, none preprocessed: no labels
  // synthetic
  std::int64_t synthetic_cells = 4096;
  std::int64_t synthetic_genes = 200;
  std::vector<std::int64_t> synthetic_categories = {3, 5};  ///< categories a field
  std::vector<std::string> synthetic_fields;  ///< their names; empty: cell_type, tissue, assay, sex
  std::vector<std::string> synthetic_held_out;  ///< "cell_type_2+perturbation_1": no cell is both
  double synthetic_density = 0.1;
  double synthetic_missing = 0.0;  ///< fraction of labels left out
  bool synthetic_counts = false;   ///< counts instead of log1p of counts per 10,000
  std::uint64_t synthetic_seed = 1;
};
void describe(config::Schema& schema, SourceOptions& options);

/// Opens what `options` names. Throws UsageError (78) for an unknown format, DataError for what is
/// wrong with the files; given a .pkl it says which command turns it into label codes.
std::unique_ptr<ChunkSource> open_source(const SourceOptions& options);

}  // namespace cellmill::data
