#pragma once
// Numbers in little-endian bytes, put and taken without alignment: what zip, npy, safetensors and
// event records are made of. `take` trusts the caller to have checked the length.
#include <bit>
#include <cstring>
#include <string>
#include <type_traits>

namespace cellmill::io {

static_assert(std::endian::native == std::endian::little);

template <class T>
requires std::is_arithmetic_v<T> T take(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
requires std::is_arithmetic_v<T>
void put(std::string& into, std::type_identity_t<T> value) {
  into.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace cellmill::io
