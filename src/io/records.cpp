#include "io/records.h"

#include <array>
#include <cstdint>

#include "io/little_endian.h"

namespace cellmill::io {

namespace {

constexpr std::array<std::uint32_t, 256> castagnoli_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    table[i] = crc;
  }
  return table;
}

std::uint32_t masked_crc(std::string_view data) {
  static constexpr std::array<std::uint32_t, 256> kTable = castagnoli_table();
  std::uint32_t crc = ~0u;
  for (unsigned char byte : data) crc = kTable[(crc ^ byte) & 255] ^ crc >> 8;
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

}  // namespace

std::string framed(std::string_view data) {
  std::string record;
  put<std::uint64_t>(record, data.size());
  put<std::uint32_t>(record, masked_crc(record));
  record += data;
  put<std::uint32_t>(record, masked_crc(data));
  return record;
}

std::optional<std::string_view> take_record(std::string_view& bytes) {
  constexpr std::size_t kAround = 16;
  if (bytes.size() < kAround) return {};
  auto length = take<std::uint64_t>(bytes.data());
  if (masked_crc(bytes.substr(0, 8)) != take<std::uint32_t>(bytes.data() + 8) ||
      length > bytes.size() - kAround)
    return {};
  std::string_view data = bytes.substr(12, length);
  if (masked_crc(data) != take<std::uint32_t>(bytes.data() + 12 + length)) return {};
  bytes.remove_prefix(length + kAround);
  return data;
}

}  // namespace cellmill::io
