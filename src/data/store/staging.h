#pragma once
// Where a long job builds what it will publish: a folder beside the target, locked, that outlives a
// killed process so that the same job can go on in it.
#include <filesystem>
#include <string>

#include "io/descriptor.h"

namespace cellmill::data {

class Staging {
 public:
  /// Folder ".TARGET.SUFFIX", which says what is made in it by `job`. Throws UsageError (64) if
  /// `target` exists, if another process works there, or if another job was left there.
  Staging(const std::filesystem::path& target, const std::string& suffix, const std::string& job);
  const std::filesystem::path& folder() const { return folder_; }
  bool resumed() const { return resumed_; }
  /// Renames `made`, in the folder, to the target and removes the folder. Files must be synced.
  void publish(const std::filesystem::path& made);
  /// Removes the folder: nothing is to be gone on with.
  void abandon();

 private:
  std::filesystem::path target_, folder_;
  bool resumed_ = false;
  io::Descriptor lock_;
};

}  // namespace cellmill::data
