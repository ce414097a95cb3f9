#include "data/store/staging.h"

#include "base/error.h"
#include "io/files.h"

namespace cellmill::data {

namespace fs = std::filesystem;

namespace {

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

Staging::Staging(const fs::path& target, const std::string& suffix, const std::string& job)
    : target_(target), folder_(folder_of(target) / ("." + target.filename().string() + suffix)) {
  if (fs::exists(target))
    throw UsageError(target.string() + " exists already", "remove it, or choose another --output");
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed) io::throw_system_error(folder_, "create", failed.value());
  lock_ = io::Descriptor(folder_ / "lock", io::Descriptor::Mode::kAppend);
  if (!lock_.try_lock())
    throw UsageError(folder_.string() + " is in use by another process",
                     "wait for it, or choose another --output");
  const fs::path file = folder_ / "job.json";
  resumed_ = fs::exists(file);
  if (!resumed_)
    io::write_text_atomically(file, job);
  else if (io::read_text(file) != job)
    throw UsageError(folder_.string() + " holds an unfinished job of other input or options",
                     "give the same again, or remove that folder");
}

void Staging::publish(const fs::path& made) {
  std::error_code failed;
  fs::rename(made, target_, failed);
  if (failed) io::throw_system_error(target_, "rename a finished file to it", failed.value());
  io::sync_folder(folder_of(target_));
  abandon();
}

void Staging::abandon() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace cellmill::data
