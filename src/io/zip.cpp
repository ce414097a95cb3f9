#include "io/zip.h"

#include <libdeflate.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/error.h"
#include "base/unset_vector.h"
#include "io/little_endian.h"

namespace cellmill::io {

namespace {

constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50,
                        kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::uint64_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56, kCentralBytes = 46,
                        kLocalBytes = 30;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;
constexpr std::uint64_t kDeflateLimit = 1032;  // no deflated byte stands for more

[[noreturn]] void fail(const std::string& file, const std::string& where, const std::string& what,
                       const std::string& hint = {}) {
  throw DataError({file, where, {}, {}}, what, hint);
}

[[noreturn]] void fail_truncated(const std::string& file, const std::string& where,
                                 const std::string& what) {
  fail(file, where, "is truncated: " + what, "copy or make the file again");
}

using Bytes = std::vector<std::uint8_t>;

/// `count` bytes at `offset`, which must lie in the file.
Bytes read_exactly(const Descriptor& file, std::uint64_t file_bytes, std::uint64_t offset,
                   std::uint64_t count, const std::string& where, const char* what) {
  if (offset > file_bytes || count > file_bytes - offset)
    fail_truncated(file.path(), where, what + std::string(" would end behind the file's end"));
  Bytes bytes(count);
  if (file.read_at(bytes.data(), count, offset) != count)
    fail_truncated(file.path(), where, "it shrank while it was read");
  return bytes;
}

struct Directory {
  std::uint64_t offset = 0, bytes = 0, members = 0;
};

Directory find_directory(const Descriptor& file, std::uint64_t file_bytes) {
  const std::string path = file.path();
  std::uint64_t tail_bytes = std::min<std::uint64_t>(file_bytes, kEndBytes + 0xFFFF);
  std::uint64_t tail_at = file_bytes - tail_bytes;
  Bytes tail = read_exactly(file, file_bytes, tail_at, tail_bytes, {}, "the tail");
  std::uint64_t at = tail_bytes;
  for (std::uint64_t candidate = kEndBytes; candidate <= tail_bytes; ++candidate) {
    const std::uint8_t* end = tail.data() + tail_bytes - candidate;
    if (take<std::uint32_t>(end) == kEnd &&
        take<std::uint16_t>(end + 20) == candidate - kEndBytes) {
      at = tail_bytes - candidate;
      break;
    }
  }
  if (at == tail_bytes) {
    Bytes head = read_exactly(file, file_bytes, 0, std::min<std::uint64_t>(4, file_bytes), {}, "");
    if (head.size() == 4 && take<std::uint32_t>(head.data()) == kLocal)
      fail_truncated(path, {}, "the zip directory at its end is missing");
    fail(path, {}, "is not a zip archive (.npz)");
  }
  const std::uint8_t* end = tail.data() + at;
  Directory directory{take<std::uint32_t>(end + 16), take<std::uint32_t>(end + 12),
                      take<std::uint16_t>(end + 10)};
  std::uint64_t limit = tail_at + at;
  bool is64 = directory.offset == kIn64 || directory.bytes == kIn64 || directory.members == 0xFFFF;
  if (is64 && at >= kLocatorBytes && take<std::uint32_t>(end - kLocatorBytes) == kLocator64) {
    std::uint64_t end64_at = take<std::uint64_t>(end - kLocatorBytes + 8);
    Bytes end64 = read_exactly(file, file_bytes, end64_at, kEnd64Bytes, {}, "the zip64 directory");
    if (take<std::uint32_t>(end64.data()) != kEnd64) fail(path, {}, "has a broken zip64 directory");
    directory = {take<std::uint64_t>(&end64[48]), take<std::uint64_t>(&end64[40]),
                 take<std::uint64_t>(&end64[32])};
    limit = end64_at;
  }
  if (directory.bytes > limit || directory.offset > limit - directory.bytes)
    fail_truncated(path, {}, "its zip directory does not fit into it");
  if (directory.members > directory.bytes / kCentralBytes)
    fail(path, {}, "has a broken zip directory: more members than it can hold");
  return directory;
}

/// The zip64 extra field holds, in this order, what the 32-bit fields could not.
void widen(ZipMember& member, const std::uint8_t* extra, std::size_t bytes,
           const std::string& path) {
  const std::uint8_t* end = extra + bytes;
  for (; end - extra >= 4; extra += 4 + take<std::uint16_t>(extra + 2)) {
    std::size_t length = take<std::uint16_t>(extra + 2);
    if (length > static_cast<std::size_t>(end - extra - 4)) break;
    if (take<std::uint16_t>(extra) != 1) continue;
    const std::uint8_t *field = extra + 4, *field_end = field + length;
    for (std::uint64_t* value : {&member.bytes, &member.stored_bytes, &member.offset}) {
      if (*value != kIn64) continue;
      if (field_end - field < 8) break;
      *value = take<std::uint64_t>(field);
      field += 8;
    }
    return;
  }
  if (member.bytes == kIn64 || member.stored_bytes == kIn64 || member.offset == kIn64)
    fail(path, "member " + member.name, "lacks its zip64 sizes");
}

void refuse_what_we_do_not_read(const ZipMember& member, std::uint16_t flags,
                                const std::string& path) {
  const std::string where = "member " + member.name;
  if (flags & 1) fail(path, where, "is encrypted", "write it without a password");
  if (member.method == 0 || member.method == 8) return;
  const char* name = member.method == 9    ? "deflate64"
                     : member.method == 12 ? "bzip2"
                     : member.method == 14 ? "lzma"
                     : member.method == 93 ? "zstandard"
                     : member.method == 95 ? "xz"
                                           : "an unknown method";
  throw DataError({path, where, "stored or deflated (methods 0 and 8)",
                   name + (" (method " + std::to_string(member.method)) + ")"},
                  "is compressed in a way that cellmill does not read",
                  "numpy.savez_compressed and scipy.sparse.save_npz write what it reads");
}

/// Nothing is ever unpacked to a path, but a name that would lead there is no file of ours.
void check_name(const std::string& name, const std::string& path) {
  const std::string around = "/" + name + "/";
  if (name.starts_with('/') || around.find("/../") != std::string::npos ||
      name.find_first_of(std::string_view("\\:\0", 3)) != std::string::npos)
    fail(path, "member " + name, "has a name that leads out of the archive",
         "numpy and scipy write no such file: where is it from?");
}

void refuse_doubles(const std::vector<ZipMember>& members, const std::string& path) {
  std::set<std::string_view> names;
  for (const ZipMember& member : members)
    if (!names.insert(member.name).second)
      fail(path, "member " + member.name, "is there twice", "copy or make the file again");
}

std::vector<ZipMember> read_directory(const Bytes& directory, std::uint64_t count,
                                      const std::string& path) {
  std::vector<ZipMember> members;
  std::size_t at = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint8_t* entry = directory.data() + at;
    if (directory.size() - at < kCentralBytes || take<std::uint32_t>(entry) != kCentral)
      fail(path, "member " + std::to_string(i), "has a broken entry in the zip directory");
    std::size_t name = take<std::uint16_t>(entry + 28), extra = take<std::uint16_t>(entry + 30),
                comment = take<std::uint16_t>(entry + 32);
    if (directory.size() - at - kCentralBytes < name + extra + comment)
      fail(path, "member " + std::to_string(i), "has a broken entry in the zip directory");
    ZipMember member{.name = {reinterpret_cast<const char*>(entry) + kCentralBytes, name},
                     .offset = take<std::uint32_t>(entry + 42),
                     .stored_bytes = take<std::uint32_t>(entry + 20),
                     .bytes = take<std::uint32_t>(entry + 24),
                     .crc = take<std::uint32_t>(entry + 16),
                     .method = take<std::uint16_t>(entry + 10)};
    widen(member, entry + kCentralBytes + name, extra, path);
    check_name(member.name, path);
    refuse_what_we_do_not_read(member, take<std::uint16_t>(entry + 8), path);
    members.push_back(std::move(member));
    at += kCentralBytes + name + extra + comment;
  }
  refuse_doubles(members, path);
  return members;
}

void inflate(std::span<const std::uint8_t> stored, std::span<std::uint8_t> to,
             const std::string& path, const std::string& where) {
  std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflater(
      libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  std::size_t made = 0;
  libdeflate_result code = libdeflate_deflate_decompress(
      inflater.get(), stored.data(), stored.size(), to.data(), to.size(), &made);
  if (code != LIBDEFLATE_SUCCESS || made != to.size())
    fail(path, where, "does not inflate: its compressed bytes are damaged",
         "copy or make the file again");
}

}  // namespace

ZipFile::ZipFile(const std::string& path)
    : path_(path), file_(path, Descriptor::Mode::kRead), file_bytes_(file_.size()) {
  Directory directory = find_directory(file_, file_bytes_);
  Bytes entries =
      read_exactly(file_, file_bytes_, directory.offset, directory.bytes, {}, "the zip directory");
  members_ = read_directory(entries, directory.members, path_);
}

const ZipMember* ZipFile::find(const std::string& name) const {
  auto found = std::find_if(members_.begin(), members_.end(),
                            [&](const ZipMember& member) { return member.name == name; });
  return found == members_.end() ? nullptr : &*found;
}

std::uint64_t ZipFile::data_offset(const ZipMember& member) const {
  const std::string where = "member " + member.name;
  Bytes header = read_exactly(file_, file_bytes_, member.offset, kLocalBytes, where, "its header");
  if (take<std::uint32_t>(header.data()) != kLocal)
    fail(path_, where, "has no header where the zip directory says");
  const std::uint64_t at = member.offset + kLocalBytes + take<std::uint16_t>(&header[26]) +
                           take<std::uint16_t>(&header[28]);
  if (member.method == 8 ? member.bytes / kDeflateLimit > member.stored_bytes
                         : member.bytes != member.stored_bytes)
    throw DataError(
        {path_,
         where,
         {},
         std::to_string(member.bytes) + " from " + std::to_string(member.stored_bytes) + " bytes"},
        "has impossible sizes");
  if (at > file_bytes_ || member.stored_bytes > file_bytes_ - at)
    fail_truncated(path_, where, "its data would end behind the file's end");
  return at;
}

void ZipFile::read_into(const ZipMember& member, std::span<std::uint8_t> to) const {
  const std::string where = "member " + member.name;
  const std::uint64_t at = data_offset(member);
  const auto read = [&](std::uint8_t* bytes) {
    if (file_.read_at(bytes, member.stored_bytes, at) != member.stored_bytes)
      fail_truncated(path_, where, "it shrank while it was read");
  };
  if (member.method == 8) {
    thread_local UnsetVector<std::uint8_t> stored;  // fresh pages cost more than inflating them
    stored.resize(member.stored_bytes);
    read(stored.data());
    inflate(stored, to, path_, where);
  } else {
    read(to.data());
  }
  if (libdeflate_crc32(0, to.data(), to.size()) != member.crc)
    fail(path_, where, "is damaged: its CRC-32 differs", "copy or make the file again");
}

Bytes ZipFile::read(const ZipMember& member) const {
  data_offset(member);  // refuses impossible sizes before memory is asked for
  Bytes bytes(member.bytes);
  read_into(member, bytes);
  return bytes;
}

}  // namespace cellmill::io
