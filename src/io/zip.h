#pragma once
// Zip archives as numpy writes them: central directory, zip64, members stored or deflated
// (libdeflate), CRC-32 checked. Not a general unzipper: no encryption, no spanning. Every length is
// compared with the file's before it is believed. Errors are DataError with file and member.
// Format: PKWARE APPNOTE 6.3.10.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/descriptor.h"

namespace cellmill::io {

struct ZipMember {
  std::string name;
  std::uint64_t offset = 0;  ///< of the local header
  std::uint64_t stored_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
  std::uint16_t method = 0;  ///< 0 stored, 8 deflated
};

/// A reader; `read` may be called by any number of threads.
class ZipFile {
 public:
  explicit ZipFile(const std::string& path);
  const std::string& path() const { return path_; }
  const std::vector<ZipMember>& members() const { return members_; }
  const ZipMember* find(const std::string& name) const;
  std::vector<std::uint8_t> read(const ZipMember& member) const;
  /// The whole member into `to`, which has member.bytes bytes.
  void read_into(const ZipMember& member, std::span<std::uint8_t> to) const;
  /// Where a member's bytes begin in the file: they can then be read by `file` without a check.
  std::uint64_t data_offset(const ZipMember& member) const;
  const Descriptor& file() const { return file_; }

 private:
  std::string path_;
  Descriptor file_;
  std::uint64_t file_bytes_ = 0;
  std::vector<ZipMember> members_;
};

/// Writes a new archive, member by member; local headers with zip64 fields and the date 1980-01-01,
/// as numpy's. The same members give the same bytes. Nothing is promised before `close`.
class ZipWriter {
 public:
  explicit ZipWriter(const std::string& path);  ///< `path` must not exist
  void add(const std::string& name, std::span<const std::uint8_t> bytes, bool compressed);
  /// A stored member that is too large to hold: `head` bytes that are known at its end only, then
  /// what is appended.
  void begin(const std::string& name, std::size_t head);
  void append(std::span<const std::uint8_t> bytes);
  void end(std::span<const std::uint8_t> head);
  void close();

 private:
  Descriptor file_;
  std::uint64_t offset_ = 0;
  std::vector<ZipMember> members_;  // between begin and end the last one grows
};

}  // namespace cellmill::io
