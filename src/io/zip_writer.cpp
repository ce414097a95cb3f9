#include <libdeflate.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "io/little_endian.h"
#include "io/zip.h"

namespace cellmill::io {

namespace {

constexpr std::uint64_t kIn64 = 0xFFFFFFFF;
constexpr std::uint16_t kVersion = 45, kUtf8Names = 1 << 11, kFirstOfJanuary1980 = 0x21, kUnix = 3;

std::uint32_t narrow(std::uint64_t value) {
  return static_cast<std::uint32_t>(std::min(value, kIn64));
}

/// What local and central headers have in common, from the version to the lengths of name and
/// extra.
void put_description(std::string& into, const ZipMember& member, bool in64,
                     std::size_t extra_bytes) {
  put<std::uint16_t>(into, kVersion);
  put<std::uint16_t>(into, kUtf8Names);
  put<std::uint16_t>(into, member.method);
  put<std::uint16_t>(into, 0);
  put<std::uint16_t>(into, kFirstOfJanuary1980);
  put<std::uint32_t>(into, member.crc);
  put<std::uint32_t>(into, in64 ? kIn64 : narrow(member.stored_bytes));
  put<std::uint32_t>(into, in64 ? kIn64 : narrow(member.bytes));
  put<std::uint16_t>(into, static_cast<std::uint16_t>(member.name.size()));
  put<std::uint16_t>(into, static_cast<std::uint16_t>(extra_bytes));
}

std::string local_header(const ZipMember& member) {
  std::string header = "PK\x03\x04";
  put_description(header, member, true, 20);
  header += member.name;
  put<std::uint16_t>(header, 1);
  put<std::uint16_t>(header, 16);
  put<std::uint64_t>(header, member.bytes);
  put<std::uint64_t>(header, member.stored_bytes);
  return header;
}

std::string central_header(const ZipMember& member) {
  std::string wide;
  for (std::uint64_t value : {member.bytes, member.stored_bytes, member.offset})
    if (value >= kIn64) put<std::uint64_t>(wide, value);
  std::string header = "PK\x01\x02";
  put<std::uint16_t>(header, kUnix << 8 | kVersion);
  put_description(header, member, false, wide.empty() ? 0 : 4 + wide.size());
  header.append(8, '\0');  // comment, disk, attributes inside and half of those outside
  put<std::uint16_t>(header, 0600);
  put<std::uint32_t>(header, narrow(member.offset));
  header += member.name;
  if (wide.empty()) return header;
  put<std::uint16_t>(header, 1);
  put<std::uint16_t>(header, static_cast<std::uint16_t>(wide.size()));
  return header + wide;
}

std::string end_records(std::uint64_t offset, std::uint64_t bytes, std::uint64_t members) {
  std::string end;
  if (offset >= kIn64 || bytes >= kIn64 || members >= 0xFFFF) {
    end += "PK\x06\x06";
    put<std::uint64_t>(end, 44);
    put<std::uint16_t>(end, kVersion);
    put<std::uint16_t>(end, kVersion);
    put<std::uint64_t>(end, 0);
    for (std::uint64_t value : {members, members, bytes, offset}) put<std::uint64_t>(end, value);
    end += "PK\x06\x07";
    put<std::uint32_t>(end, 0);
    put<std::uint64_t>(end, offset + bytes);
    put<std::uint32_t>(end, 1);
  }
  end += "PK\x05\x06";
  put<std::uint32_t>(end, 0);
  for (int i = 0; i < 2; ++i)
    put<std::uint16_t>(end, static_cast<std::uint16_t>(std::min<std::uint64_t>(members, 0xFFFF)));
  put<std::uint32_t>(end, narrow(bytes));
  put<std::uint32_t>(end, narrow(offset));
  put<std::uint16_t>(end, 0);
  return end;
}

// CRC-32 is a polynomial over two elements, the highest power in the lowest bit: that of `a` and
// `b` one after the other is crc(a) x^(8 bytes of b) + crc(b).
std::uint32_t product(std::uint32_t a, std::uint32_t b) {
  std::uint32_t sum = 0;
  for (std::uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
    if (a & bit) sum ^= b;
    b = b >> 1 ^ (b & 1 ? 0xEDB88320u : 0);
  }
  return sum;
}

std::uint32_t power_of_x8(std::uint64_t exponent) {
  std::uint32_t power = 1u << 31;  // 1
  for (std::uint32_t square = 1u << 23; exponent > 0; exponent >>= 1) {
    if (exponent & 1) power = product(power, square);
    square = product(square, square);
  }
  return power;
}

std::vector<std::uint8_t> deflate(std::span<const std::uint8_t> bytes) {
  std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> deflater(
      libdeflate_alloc_compressor(6), &libdeflate_free_compressor);
  std::vector<std::uint8_t> result(libdeflate_deflate_compress_bound(deflater.get(), bytes.size()));
  result.resize(libdeflate_deflate_compress(deflater.get(), bytes.data(), bytes.size(),
                                            result.data(), result.size()));
  return result;
}

}  // namespace

ZipWriter::ZipWriter(const std::string& path) : file_(path, Descriptor::Mode::kCreateNew) {}

void ZipWriter::add(const std::string& name, std::span<const std::uint8_t> bytes, bool compressed) {
  std::vector<std::uint8_t> deflated;
  if (compressed) deflated = deflate(bytes);
  std::span<const std::uint8_t> stored = compressed ? deflated : bytes;
  ZipMember member{.name = name,
                   .offset = offset_,
                   .stored_bytes = stored.size(),
                   .bytes = bytes.size(),
                   .crc = libdeflate_crc32(0, bytes.data(), bytes.size()),
                   .method = static_cast<std::uint16_t>(compressed ? 8 : 0)};
  std::string header = local_header(member);
  file_.write(header.data(), header.size());
  file_.write(stored.data(), stored.size());
  offset_ += header.size() + stored.size();
  members_.push_back(std::move(member));
}

void ZipWriter::begin(const std::string& name, std::size_t head) {
  members_.push_back({.name = name, .offset = offset_, .crc = libdeflate_crc32(0, nullptr, 0)});
  const std::string room(local_header(members_.back()).size() + head, '\0');
  file_.write(room.data(), room.size());
  offset_ += room.size();
}

void ZipWriter::append(std::span<const std::uint8_t> bytes) {
  ZipMember& member = members_.back();
  file_.write(bytes.data(), bytes.size());
  member.crc = libdeflate_crc32(member.crc, bytes.data(), bytes.size());
  member.bytes += bytes.size();
  offset_ += bytes.size();
}

void ZipWriter::end(std::span<const std::uint8_t> head) {
  ZipMember& member = members_.back();
  const auto first = libdeflate_crc32(0, head.data(), head.size());
  member.crc ^= product(first, power_of_x8(member.bytes));
  member.bytes += head.size();
  member.stored_bytes = member.bytes;
  std::string start = local_header(member);
  start.append(reinterpret_cast<const char*>(head.data()), head.size());
  file_.write_at(start.data(), start.size(), member.offset);
}

void ZipWriter::close() {
  std::string directory;
  for (const ZipMember& member : members_) directory += central_header(member);
  directory += end_records(offset_, directory.size(), members_.size());
  file_.write(directory.data(), directory.size());
  file_.close();
}

}  // namespace cellmill::io
