#pragma once
// XXH3 (64 bits) of bytes, as 16 hex digits: what manifests and label files carry. Source: xxHash
// by Yann Collet.
#include <cstddef>
#include <string>
#include <string_view>

namespace cellmill::io {

std::string digest(const void* data, std::size_t bytes);
inline std::string digest(std::string_view text) { return digest(text.data(), text.size()); }
/// Of a whole file, read in pieces. Throws DataError.
std::string digest_file(const std::string& path);

}  // namespace cellmill::io
