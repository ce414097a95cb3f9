#pragma once
// A file that ends with digests of its blocks: that it is whole is known by its last bytes, and
// damage is found with its place at the price of reading what is asked for. What stands before the
// end may be of any format that takes no notice of bytes behind its own, as HDF5.
//   content · {"bytes":N,"bulk":[begin,end],"blocks":["<xxh3>",...],"xxh3":"<of this>"} ·
//   length of that, 8 bytes little-endian · "CMSEALED"
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "io/block_digests.h"
#include "io/descriptor.h"

namespace cellmill::io {

/// Where most of a file lies: compared when it is read, not when the file is opened.
struct Bulk {
  std::uint64_t begin = 0, end = 0;
};

/// Appends the end to a finished file and syncs it. Throws DataError (74).
void seal_file(const std::filesystem::path& path, const Bulk& bulk);

class SealedFile {
 public:
  /// With `verify` all blocks are compared but those within the bulk. Throws DataError (65), with
  /// the range of bytes and `hint`, for a file that is cut short, was never sealed or is damaged.
  SealedFile(const std::filesystem::path& path, bool verify, std::string hint);
  const Descriptor& file() const { return file_; }
  const Bulk& bulk() const { return bulk_; }
  std::uint64_t bytes() const { return digests_.bytes; }  ///< of the content
  /// Reads bytes [at, at + size) of the content; their blocks are compared, each once in the life
  /// of this object. Thread-safe.
  void read(void* to, std::size_t size, std::uint64_t at) const;
  /// All blocks.
  void verify() const;

 private:
  void read_end();
  void verify(std::uint64_t begin, std::uint64_t end) const;
  void verify_block(std::uint64_t block) const;

  Descriptor file_;
  bool verify_;
  std::string hint_;
  BlockDigests digests_;
  Bulk bulk_;
  std::unique_ptr<std::atomic<bool>[]> holds_;  // by block
};

}  // namespace cellmill::io
