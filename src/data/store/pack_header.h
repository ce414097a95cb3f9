#pragma once
// The first 512 bytes of a .cmpack file, which HDF5 leaves to us (its user block): one line of JSON
// and a newline, padded with spaces. It is what makes a file a store, and it vouches for all that
// HDF5 reads, before HDF5 reads it: a digest of every byte outside of the header and the blocks
// (which have their own), and one of itself.
#include <cstdint>
#include <filesystem>
#include <string>

#include "io/descriptor.h"

namespace cellmill::data {

inline constexpr std::int64_t kPackFormat = 1;
inline constexpr std::uint64_t kPackHeaderBytes = 512;

struct PackHeader {
  std::uint64_t bytes = 0;         ///< of the file
  std::uint64_t blocks_begin = 0;  ///< where /blocks lies in the file
  std::uint64_t blocks_bytes = 0;
  std::string structure;  ///< XXH3 of the bytes that are neither header nor blocks
};

/// kPackHeaderBytes of text.
std::string header_text(const PackHeader& header);
/// Throws DataError (65) with file and place for a file that is no store, of another format, cut
/// short, grown, or whose header or structure is damaged.
PackHeader check_header(const io::Descriptor& file);
std::string structure_digest(const io::Descriptor& file, const PackHeader& header);

}  // namespace cellmill::data
