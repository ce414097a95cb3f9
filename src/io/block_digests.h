#pragma once
// XXH3 digests of a file by blocks, so that damage is found with its place, whatever the file
// holds.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cellmill::io {

inline constexpr std::uint64_t kBlockBytes = 4 << 20;

struct BlockDigests {
  std::uint64_t bytes = 0;          ///< of the file
  std::vector<std::string> blocks;  ///< of its blocks of kBlockBytes
};

BlockDigests digest_blocks(const std::filesystem::path& file);
/// Throws DataError (65), with the range of bytes and `hint`, unless size and every block are so.
void verify_blocks(const std::filesystem::path& file, const BlockDigests& digests,
                   const std::string& hint);

}  // namespace cellmill::io
