#pragma once
// Named state in, named state out, atomically. A checkpoint is a folder step-NNNNNNNNN with
// state.h5 (tensors, texts, numbers, lists) and manifest.json (format version, step, size and XXH3
// digest of the file and of every tensor), the manifest written last; the folder is built under a
// temporary name, synced and renamed. It exists whole or not at all. It knows no model.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace cellmill::checkpoint {

namespace fs = std::filesystem;

inline constexpr std::int64_t kFormat = 1;

struct State {
  std::map<std::string, at::Tensor>
      tensors;  ///< float32, float64, int64, uint8; saved from any device
  std::map<std::string, std::string> texts;  ///< effective config, ...
  std::map<std::string, std::int64_t> numbers;
  std::map<std::string, double> reals;                    ///< bit-exact
  std::map<std::string, std::vector<std::string>> lists;  ///< genes, vocabularies
};

/// Writes <folder>/step-<step>. Returns its path. Throws DataError (74) and leaves nothing behind
/// when the disk is full.
fs::path save(const fs::path& folder, std::int64_t step, const State& state);
/// Verifies the manifest, the file's digest and every tensor's before HDF5 opens it. Throws
/// DataError that names file and place.
State load(const fs::path& checkpoint);
/// Throws as load does, without keeping the state.
void verify(const fs::path& checkpoint);

struct Entry {
  fs::path path;
  std::int64_t step = 0;
};
/// Whole-looking checkpoints of a run folder's `checkpoints/`, oldest first (names only, nothing is
/// verified).
std::vector<Entry> list(const fs::path& folder);
/// The newest one that verifies; why newer ones were passed over is appended to `passed_over`.
std::optional<Entry> newest_valid(const fs::path& folder, std::vector<std::string>& passed_over);
/// Deletes all but the last `keep_last` and those in `keep` (steps).
void prune(const fs::path& folder, std::int64_t keep_last, const std::vector<std::int64_t>& keep);

}  // namespace cellmill::checkpoint
