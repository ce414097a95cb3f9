#pragma once
// Whole files and whole folders, or none. A write goes to a temporary name beside its target
// (".unfinished-HOST-PID-N"), is synced, renamed, and the folder is synced; a reader never sees
// half. Errors are DataError (74) with the system's own words.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/descriptor.h"

namespace cellmill::io {

namespace fs = std::filesystem;

/// Prefix of what is not, or no longer, whole.
inline constexpr const char* kUnfinished = ".unfinished-";

/// Throws DataError (66 if it is not there).
std::string read_text(const fs::path& path);
void write_text_atomically(const fs::path& path, std::string_view text);
/// Calls `fill` with a path beside `target` to make a file at, syncs it, renames it to `target`,
/// syncs the parent. If anything throws, the temporary file is removed and `target` is untouched.
void publish_file(const fs::path& target,
                  const std::function<void(const fs::path& temporary)>& fill);
/// Calls `fill` with a fresh temporary folder beside `target`, syncs every file in it, renames it
/// to `target`, syncs the parent. If `fill` throws, the temporary folder is removed and `target` is
/// untouched. `target` must not exist.
void publish_folder(const fs::path& target,
                    const std::function<void(const fs::path& temporary)>& fill);
/// Removes what killed writers left in a folder that nobody else writes to.
void remove_unfinished(const fs::path& folder);
void sync_file(const fs::path& path);
void sync_folder(const fs::path& path);
/// Bytes that an ordinary user may still write there.
std::uint64_t free_bytes(const fs::path& path);

/// Appends lines to a file, each written by one write(2) (a short one is continued).
class LineFile {
 public:
  explicit LineFile(const fs::path& path);
  /// What the system refuses is kept, whole, for the next call of either.
  void append(std::string_view line);
  void sync();
  /// Rewrites `path` atomically with the lines for which `keep` is true; a last line without its
  /// newline (the writer was killed) goes too. No file: nothing happens. Call before opening it.
  static void filter(const fs::path& path, const std::function<bool(std::string_view line)>& keep);

 private:
  void write_out();

  Descriptor file_;
  std::string unwritten_;
};

}  // namespace cellmill::io
