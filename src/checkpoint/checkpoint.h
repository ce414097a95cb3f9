#pragma once
// Named state in, named state out, atomically. A checkpoint is a folder step-NNNNNNNNN with
// state.h5 (tensors, texts, numbers, lists) and manifest.json (format version, step, size and XXH3
// digests of the file, of every tensor and of the manifest itself), the manifest written last; the
// folder is built under a temporary name, synced and renamed. It exists whole or not at all. It
// knows no model. `folder` is the one that holds the steps; one process writes there.
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

/// Writes <folder>/step-<step>, in place of one that is there, and returns its path. The free space
/// is compared with what is needed first. Throws DataError (74) and leaves nothing behind when the
/// disk is full. Names may contain "/" (groups in the file), texts no zero byte.
fs::path save(const fs::path& folder, std::int64_t step, const State& state);
/// Verifies the manifest and the file's digests before HDF5 opens it, and every tensor's after.
/// Throws DataError that names file and place: 66 if it is not there, 65 if it is damaged,
/// unfinished or of a newer format.
State load(const fs::path& checkpoint);
/// Throws as load does, without keeping the state.
void verify(const fs::path& checkpoint);

struct Entry {
  fs::path path;
  std::int64_t step = 0;
};
/// Whole-looking checkpoints, oldest first (names and manifests' presence only, nothing is
/// verified); none if there is no such folder.
std::vector<Entry> list(const fs::path& folder);
/// The newest one that verifies; why newer ones were passed over is appended to `passed_over`.
std::optional<Entry> newest_valid(const fs::path& folder, std::vector<std::string>& passed_over);
struct Retention {
  std::int64_t last = 1;                 ///< newest ones, at least one
  std::int64_t every = 0;                ///< and those whose step is a multiple of it; 0: none
  std::vector<std::int64_t> steps = {};  ///< and these
};
/// Deletes what `keep` does not name of the checkpoints up to `step`, which is known to be whole,
/// and what killed writers left behind. Later ones (a run that was resumed from before them comes
/// by again) are left alone and do not count.
void prune(const fs::path& folder, std::int64_t step, const Retention& keep);

}  // namespace cellmill::checkpoint
