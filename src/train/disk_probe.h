#pragma once
// How fast a disk reads and writes, measured past the page cache. Errors are DataError (74).
#include <cstdint>
#include <filesystem>
#include <string>

namespace cellmill::train {

/// GB/s of the file's first quarter GB; 0 where it is too small to say, or cannot be read.
double read_rate(const std::filesystem::path& file);

struct DiskSpeed {
  double write_gbs = 0;  ///< written and synced
  double read_gbs = 0;   ///< of the same file
  double save_ms = 0;    ///< a small file written, synced, renamed, its folder synced: the median
};
/// Writes `bytes` to files of its own in `folder`, which are removed again.
DiskSpeed disk_speed(const std::filesystem::path& folder, std::int64_t bytes);

/// "ext4", "nfs", "lustre", ...; a number where it is none of the known ones.
std::string file_system_of(const std::filesystem::path& folder);

}  // namespace cellmill::train
