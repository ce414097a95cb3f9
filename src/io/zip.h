#pragma once
// A reader of zip archives as numpy writes them: central directory, zip64, members stored or
// deflated (libdeflate), CRC-32 checked. Not a general unzipper: no encryption, no spanning.
// Thread-safe: members are read by positional reads. Errors are DataError with file and member.
// Format: PKWARE APPNOTE 6.3.10.
#include <cstdint>
#include <string>
#include <vector>

namespace cellmill::io {

struct ZipMember {
  std::string name;
  std::uint64_t offset = 0;  ///< of the local header
  std::uint64_t stored_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;
  std::uint16_t method = 0;  ///< 0 stored, 8 deflated
};

class ZipFile {
 public:
  explicit ZipFile(const std::string& path);
  ~ZipFile();
  ZipFile(const ZipFile&) = delete;
  ZipFile(ZipFile&&) noexcept;
  const std::string& path() const { return path_; }
  const std::vector<ZipMember>& members() const { return members_; }
  const ZipMember* find(const std::string& name) const;
  std::vector<std::uint8_t> read(const ZipMember& member) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::vector<ZipMember> members_;
};

}  // namespace cellmill::io
