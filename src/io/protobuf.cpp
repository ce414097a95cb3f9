#include "io/protobuf.h"

namespace cellmill::io {

namespace {

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    auto byte = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
  return {};
}

std::optional<Field> take_whole_field(std::string_view& message) {
  auto key = take_varint(message);
  if (!key) return {};
  Field field{.number = static_cast<int>(*key >> 3), .integer = 0, .bytes = {}};
  std::uint64_t length = 0;
  switch (*key & 7) {
    case 0: {
      auto value = take_varint(message);
      if (!value) return {};
      field.integer = *value;
      return field;
    }
    case 1:
      length = 8;
      break;
    case 5:
      length = 4;
      break;
    case 2: {
      auto said = take_varint(message);
      if (!said) return {};
      length = *said;
      break;
    }
    default:
      return {};
  }
  if (length > message.size()) return {};
  field.bytes = message.substr(0, length);
  message.remove_prefix(length);
  return field;
}

}  // namespace

std::optional<Field> take_field(std::string_view& message) {
  auto field = take_whole_field(message);
  if (!field) message = {};
  return field;
}

}  // namespace cellmill::io
