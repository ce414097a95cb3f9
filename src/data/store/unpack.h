#pragma once
// `cellmill unpack`: a store back into an .h5ad file or a folder of npz chunks, bit for bit.
#include <cstdint>
#include <filesystem>
#include <string>

namespace cellmill::data {

struct UnpackOptions {
  std::filesystem::path input, output;  ///< *.h5ad is a file, anything else a folder
  bool original_order = false;          ///< of the data set that was packed; else the store's
  std::int64_t file_cells = 16384;      ///< cells of an .npz
};

struct UnpackReport {
  std::int64_t cells = 0, entries = 0;
  double seconds = 0;
};

/// Every block's digest is compared. The output is whole or absent; it must not exist (UsageError).
/// Throws DataError.
UnpackReport unpack(const UnpackOptions& options);

}  // namespace cellmill::data
