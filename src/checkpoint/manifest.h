#pragma once
// manifest.json: what a checkpoint must contain, written last. It carries digests of state.h5 by
// blocks, so that damage is found, and its place, before HDF5 meets the file; of every tensor; and
// of itself.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/block_digests.h"

namespace cellmill::checkpoint {

namespace fs = std::filesystem;

inline constexpr std::int64_t kManifestFormat = 1;
inline constexpr const char* kManifestFile = "manifest.json";
inline constexpr const char* kStateFile = "state.h5";

struct TensorEntry {
  std::string type;  ///< float32, float64, int64, uint8
  std::vector<std::int64_t> shape;
  std::string digest;  ///< XXH3 of the values in memory order
  bool operator==(const TensorEntry&) const = default;
};

struct Manifest {
  std::int64_t step = 0;
  io::BlockDigests content;  ///< of state.h5
  std::map<std::string, TensorEntry> tensors;
};

std::string manifest_text(const Manifest& manifest);
/// Throws DataError: 66 if there is no such checkpoint, 65 if its manifest is missing, damaged, or
/// of another format.
Manifest read_manifest(const fs::path& checkpoint);

/// Throws DataError, with the range of bytes, unless size and every block are as the manifest says.
void verify_file(const fs::path& file, const Manifest& manifest);

}  // namespace cellmill::checkpoint
