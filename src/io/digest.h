#pragma once
// XXH3 (64 bits) of bytes: as 16 hex digits, what manifests and label files carry, or as a number.
// Source: xxHash by Yann Collet.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace cellmill::io {

std::string digest(const void* data, std::size_t bytes);
inline std::string digest(std::string_view text) { return digest(text.data(), text.size()); }
/// Of a whole file, read in pieces. Throws DataError.
std::string digest_file(const std::string& path);

/// As a number; another `seed`, another digest.
std::uint64_t digest_number(const void* data, std::size_t bytes, std::uint64_t seed);

/// Of bytes that come in pieces: the digest of all of them in a row.
class Digester {
 public:
  Digester();
  ~Digester();
  Digester(const Digester&) = delete;
  void add(const void* data, std::size_t bytes);
  std::string value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cellmill::io
