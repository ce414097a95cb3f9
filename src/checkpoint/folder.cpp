#include "checkpoint/folder.h"

#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/error.h"
#include "base/format.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/manifest.h"
#include "io/descriptor.h"
#include "io/files.h"

namespace cellmill::checkpoint {
namespace {

constexpr std::string_view kPrefix = "step-";

std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return {};
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || rest != end || step < 0) return {};
  return step;
}

/// Folders named as checkpoints are, oldest first; what killed writers left goes to `unfinished`.
std::vector<Entry> named(const fs::path& folder, std::vector<fs::path>* unfinished = nullptr) {
  std::vector<Entry> entries;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    const std::string name = it->path().filename().string();
    if (const auto step = step_of(name)) entries.push_back({it->path(), *step});
    if (unfinished && name.starts_with(io::kUnfinished)) unfinished->push_back(it->path());
  }
  if (failed && failed != std::errc::no_such_file_or_directory)
    io::throw_system_error(folder, "list", failed.value());
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.step < b.step; });
  return entries;
}

}  // namespace

fs::path place_of(const fs::path& folder, std::int64_t step) {
  return folder / fmt::format("{}{:09}", kPrefix, step);
}

void exchange(const fs::path& fresh, const fs::path& target) {
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS) io::throw_system_error(target, "exchange", errno);
  fs::path old = fresh;
  old += ".old";
  move_folder(target, old);
  move_folder(fresh, target);
  move_folder(old, fresh);
}

void move_folder(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::rename(from, to, failed);
  if (failed) io::throw_system_error(from, "rename", failed.value());
}

void remove_folder(const fs::path& path) {
  std::error_code failed;
  fs::remove_all(path, failed);
  if (failed) io::throw_system_error(path, "delete", failed.value());
}

std::vector<Entry> list(const fs::path& folder) {
  std::vector<Entry> entries = named(folder);
  std::erase_if(entries, [](const Entry& e) { return !fs::exists(e.path / kManifestFile); });
  return entries;
}

std::optional<Entry> newest_valid(const fs::path& folder, std::vector<std::string>& passed_over) {
  const std::vector<Entry> entries = named(folder);
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    try {
      verify(entry->path);
      const std::int64_t step = read_manifest(entry->path).step;
      if (step == entry->step) return *entry;
      passed_over.push_back(entry->path.string() + ": its manifest is of step " +
                            std::to_string(step));
    } catch (const Error& e) {
      passed_over.push_back(e.what());
    }
  }
  return {};
}

void prune(const fs::path& folder, std::int64_t step, const Retention& keep) {
  std::vector<fs::path> unfinished;
  std::vector<Entry> entries = named(folder, &unfinished);
  for (const fs::path& path : unfinished) remove_folder(path);
  std::erase_if(entries, [&](const Entry& e) {
    return e.step > step || !fs::exists(e.path / kManifestFile);
  });
  const std::int64_t old =
      static_cast<std::int64_t>(entries.size()) - std::max<std::int64_t>(keep.last, 1);
  for (std::int64_t i = 0; i < old; ++i) {
    const std::int64_t candidate = entries[i].step;
    if (keep.every > 0 && candidate % keep.every == 0) continue;
    if (std::find(keep.steps.begin(), keep.steps.end(), candidate) != keep.steps.end()) continue;
    // renamed first: a half-deleted one never looks whole
    const fs::path gone =
        folder / (io::kUnfinished + ("removed-" + entries[i].path.filename().string()));
    move_folder(entries[i].path, gone);
    remove_folder(gone);
  }
}

}  // namespace cellmill::checkpoint
