#pragma once
// Text files that may be gzipped (one member or several); which they are, their first bytes say.
// Library: libdeflate.
#include <filesystem>
#include <string>

namespace cellmill::io {

/// Throws DataError: 66 if it is not there, 65 if it is damaged.
std::string read_text_or_gzip(const std::filesystem::path& path);

}  // namespace cellmill::io
