#pragma once
// A file under a temporary name beside its target. `publish` syncs and renames it; without that the
// destructor removes it.
#include <filesystem>
#include <string>

namespace cellmill::infer {

class PendingFile {
 public:
  explicit PendingFile(std::filesystem::path target);
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  const std::filesystem::path& target() const { return target_; }
  std::string path() const { return temporary_.string(); }  ///< write here
  void publish();

 private:
  std::filesystem::path target_, temporary_;
};

}  // namespace cellmill::infer
