#pragma once
// What `cellmill unpack` writes, cells in the order in which they come.
#include <filesystem>
#include <memory>
#include <vector>

#include "data/chunk.h"

namespace cellmill::data {

class CellWriter {
 public:
  virtual ~CellWriter() = default;
  /// The next cells; `numbers` are those in the data set that was packed.
  virtual void add(const Chunk& cells, const std::vector<std::int64_t>& numbers) = 0;
  /// The last call: closes the files. They are not synced.
  virtual void finish() = 0;
};

/// AnnData: X as CSR (float32, int32), labels as categorical columns of obs, numbers as its index.
std::unique_ptr<CellWriter> write_h5ad(const std::filesystem::path& file,
                                       const Vocabulary& vocabulary, std::int64_t cells,
                                       std::int64_t entries);
/// A folder of expression_N.npz (stored) of `file_cells` cells, metadata_N.csv, and genes.txt: what
/// tools/preprocess_metadata takes.
std::unique_ptr<CellWriter> write_npz_folder(const std::filesystem::path& folder,
                                             const Vocabulary& vocabulary, std::int64_t file_cells);

}  // namespace cellmill::data
