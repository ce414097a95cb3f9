#pragma once
// The wire format of protocol buffers, as far as event files need it: a message being written, and
// the fields of one being read. Source: protobuf.dev/programming-guides/encoding.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/little_endian.h"

namespace cellmill::io {

class Message {
 public:
  Message& integer(int field, std::int64_t value) {
    key(field, 0);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& real(int field, double value) {
    key(field, 1);
    put<double>(bytes_, value);
    return *this;
  }
  Message& real32(int field, float value) {
    key(field, 5);
    put<float>(bytes_, value);
    return *this;
  }
  Message& bytes(int field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.bytes_); }
  Message& packed(int field, std::span<const double> values) {
    return bytes(field, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void key(int field, int wire_type) { varint(static_cast<std::uint64_t>(field << 3 | wire_type)); }
  void varint(std::uint64_t value) {
    for (; value > 127; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

struct Field {
  int number = 0;
  std::uint64_t integer = 0;  ///< of a varint
  std::string_view bytes;     ///< of anything else
};

/// Takes the next field off `message`; none at its end, or where it is broken (then it is emptied).
std::optional<Field> take_field(std::string_view& message);

}  // namespace cellmill::io
