#pragma once
// The folder of checkpoints: names, moves and removals, with DataError (74) where the system
// refuses.
#include <filesystem>

namespace cellmill::checkpoint {

namespace fs = std::filesystem;

fs::path place_of(const fs::path& folder, std::int64_t step);
/// Puts `fresh` at `target`, where a folder is; that one is then at `fresh`. In one system call
/// where the file system can.
void exchange(const fs::path& fresh, const fs::path& target);
void move_folder(const fs::path& from, const fs::path& to);
void remove_folder(const fs::path& path);

}  // namespace cellmill::checkpoint
