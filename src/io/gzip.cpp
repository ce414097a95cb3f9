#include "io/gzip.h"

#include <libdeflate.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/format.h"
#include "io/files.h"

namespace cellmill::io {
namespace {

constexpr std::size_t kLargest = std::size_t{1} << 36;
constexpr std::size_t kDensest = 1032;  ///< bytes that one of deflate's can hold

}  // namespace

std::string read_text_or_gzip(const std::filesystem::path& path) {
  std::string bytes = read_text(path);
  if (!bytes.starts_with("\x1f\x8b")) return bytes;
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> inflater(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  std::string text(std::max<std::size_t>(4 * bytes.size(), 4096), '\0');
  const std::size_t most = std::min(kLargest, kDensest * bytes.size() + text.size());
  std::size_t read = 0, made = 0;
  while (read < bytes.size()) {
    std::size_t in = 0, out = 0;
    const auto result =
        libdeflate_gzip_decompress_ex(inflater.get(), bytes.data() + read, bytes.size() - read,
                                      text.data() + made, text.size() - made, &in, &out);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE && text.size() < most) {
      text.resize(2 * text.size());
      continue;
    }
    if (result != LIBDEFLATE_SUCCESS)
      throw DataError({path.string(), fmt::format("byte {}", read), "gzip", {}},
                      "does not inflate: it is cut off or damaged", "gzip -t tests it");
    read += in;
    made += out;
  }
  text.resize(made);
  return text;
}

}  // namespace cellmill::io
