#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/log.h"
#include "config/show.h"
#include "io/files.h"
#include "io/sealed.h"
#include "train/run_options.h"

namespace cellmill::train {

namespace fs = std::filesystem;

namespace {

/// What may change between the parts of one run without making it another run.
bool may_change(const std::string& key) {
  static constexpr std::array<std::string_view, 14> kFree = {
      "output.",      "optimizer.",      "checkpoint.",         "evaluation.patience",
      "train.epochs", "train.max_steps", "train.cells_at_once", "replicas.",
      "data.path",    "data.metadata",   "data.genes",          "data.loader.",
      "data.verify",  "watchdog."};
  return std::any_of(kFree.begin(), kFree.end(),
                     [&](auto free) { return key.starts_with(free); }) &&
         key != "data.loader.order" && key != "data.loader.block_cells" &&
         key != "data.loader.buffer_cells";
}

void check_same(const fs::path& file, const std::string& config) {
  const std::string there = io::read_text(file);
  if (io::seal_of_text(there) == io::Seal::kBroken)
    log::warn("{}: bytes 0 to {}: is damaged or was edited: its digest differs", file.string(),
              there.size() - 1);
  std::string different;
  const auto not_default =
      config::differences({"defaults", config::dump(RunOptions{})}, {"this run", config});
  for (const auto& d : config::differences({file.string(), there}, {"this run", config})) {
    const auto same_key = [&](const config::Difference& other) { return other.key == d.key; };
    if (d.left == config::kAbsent && std::ranges::none_of(not_default, same_key)) continue;
    // Runs had this score by default, whatever their model, before the model said its own.
    const bool old_default = d.key == "evaluation.score" &&
                             d.left == models::CycleAutoencoder::kScore &&
                             d.right == models::FactorModel::kScore;
    if (may_change(d.key) || old_default) {
      log::warn("resuming with {}: {} instead of {}", d.key, d.right, d.left);
    } else {
      different += "\n    " + d.key + ": there " + d.left + ", here " + d.right;
    }
  }
  if (!different.empty()) {
    throw UsageError(file.parent_path().string() + " belongs to another configuration:" + different,
                     "resume with the settings of its config.yaml, or name another output.folder");
  }
}

}  // namespace

void check_run_folder(const fs::path& path, const std::string& config, bool resume) {
  const auto file = path / "config.yaml";
  const bool existed = fs::exists(file);
  if (existed && !resume) {
    throw UsageError(path.string() + " already holds a run",
                     "--resume continues it; or name another output.folder");
  }
  // a start that was killed before config.yaml was there leaves the lock
  if (!existed && fs::exists(path) && !fs::is_empty(path) && !fs::exists(path / "lock")) {
    throw UsageError(path.string() + " is not empty and holds no run",
                     "name another output.folder");
  }
  if (existed) check_same(file, config);
}

fs::path nearest_folder(const fs::path& path) {
  std::error_code ignored;
  fs::path folder = fs::absolute(path, ignored).lexically_normal();
  while (!fs::is_directory(folder, ignored) && folder != folder.root_path())
    folder = folder.parent_path();
  return folder;
}

void check_writable(const fs::path& folder) {
  std::string name = (folder / (std::string(io::kUnfinished) + "XXXXXX")).string();
  if (!::mkdtemp(name.data()))
    throw DataError({folder.string(), "", "", ""},
                    std::string("is not writable: ") + std::strerror(errno),
                    "name another output.folder", Exit::kIo);
  ::rmdir(name.c_str());
}

RunFolder::RunFolder(const fs::path& path, const std::string& config, bool resume) : path_(path) {
  const auto file = path / "config.yaml";
  existed_ = fs::exists(file);
  const bool there = fs::exists(path);
  check_run_folder(path, config, resume);  // before the lock: a constructor that throws keeps it
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) lock();
  for (const fs::path& folder : {checkpoints_of(path), path / "log"})
    if (!error) fs::create_directories(folder, error);
  if (error)
    throw DataError({path.string(), "", "", ""}, "cannot be made: " + error.message(),
                    "make room, or name another output.folder", Exit::kIo);
  if (there) io::remove_unfinished(path);
  fs::remove(path / "failure.json", error);  // of an earlier part of this run
  io::write_text_atomically(file, io::sealed_text(config));
}

void RunFolder::lock() {
  const auto file = path_ / "lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) throw DataError({file.string(), "", "", ""}, std::strerror(errno), {}, Exit::kIo);
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(lock_);
  lock_ = -1;
  throw UsageError(path_.string() + " is in use by another process",
                   "wait for it, or name another output.folder");
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace cellmill::train
