#include <libdeflate.h>

#include <memory>

#include "base/error.h"
#include "io/events.h"

namespace cellmill::io {

namespace {

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

std::string chunk(const std::string& type, const std::string& data) {
  std::string body = type + data;
  return big_endian(static_cast<std::uint32_t>(data.size())) + body +
         big_endian(libdeflate_crc32(0, body.data(), body.size()));
}

std::string deflate(const std::string& bytes) {
  std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> deflater(
      libdeflate_alloc_compressor(6), &libdeflate_free_compressor);
  std::string result(libdeflate_zlib_compress_bound(deflater.get(), bytes.size()), '\0');
  result.resize(libdeflate_zlib_compress(deflater.get(), bytes.data(), bytes.size(), result.data(),
                                         result.size()));
  return result;
}

}  // namespace

std::string encode_png(const Image& image) {
  auto width = static_cast<std::size_t>(image.width),
       height = static_cast<std::size_t>(image.height);
  if (image.width <= 0 || image.height <= 0 || image.rgb.size() != width * height * 3)
    throw InternalError("an image's pixels do not fill its size");
  std::string rows;
  for (std::size_t y = 0; y < height; ++y) {
    rows += '\0';  // no filter
    rows.append(reinterpret_cast<const char*>(image.rgb.data()) + y * width * 3, width * 3);
  }
  const std::string rgb_of_8_bits("\x08\x02\0\0\0", 5);
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(static_cast<std::uint32_t>(width)) +
                           big_endian(static_cast<std::uint32_t>(height)) + rgb_of_8_bits) +
         chunk("IDAT", deflate(rows)) + chunk("IEND", "");
}

}  // namespace cellmill::io
