#pragma once
// The folder of a run, owned by rank 0: config.yaml (effective), metrics.jsonl, influence.jsonl,
// sessions.jsonl (a line a start), events.out.tfevents..., checkpoints/, log/rank-N.log. A folder
// belongs to one configuration and to one process at a time; anything else is refused with what
// differs, and nothing is overwritten.
#include <filesystem>
#include <string>

namespace cellmill::train {

/// Throws what RunFolder would for this path, but for another process that has it; makes nothing.
void check_run_folder(const std::filesystem::path& path, const std::string& config, bool resume);
/// The folder itself, or the nearest one above it that is there.
std::filesystem::path nearest_folder(const std::filesystem::path& path);
/// Makes something in the folder and removes it. Throws DataError (74): to a superuser access(2)
/// calls all folders writable.
void check_writable(const std::filesystem::path& folder);

class RunFolder {
 public:
  /// Opens or makes the folder and locks it. Throws UsageError (64) if it holds a run and `resume`
  /// is false, if its configuration differs in more than what a resumed run may change, if it is no
  /// run folder, or if another process has it.
  RunFolder(const std::filesystem::path& path, const std::string& config, bool resume);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  bool existed() const { return existed_; }

 private:
  void lock();
  std::filesystem::path path_;
  bool existed_ = false;
  int lock_ = -1;
};

inline std::filesystem::path checkpoints_of(const std::filesystem::path& run) {
  return run / "checkpoints";
}

}  // namespace cellmill::train
