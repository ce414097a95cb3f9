#pragma once
// UTF-8: is it, and to and from code points, where what is none becomes U+FFFD.
#include <cstdint>
#include <string>
#include <string_view>

namespace cellmill {

/// The byte at which `text` stops being UTF-8 (RFC 3629: no overlong forms, no surrogates), or
/// npos.
std::size_t utf8_ends_at(std::string_view text);

inline void append_utf8(std::string& text, std::uint32_t point) {
  if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) point = 0xFFFD;
  auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | point >> 6);
  } else {
    if (point < 0x10000) {
      put(0xE0 | point >> 12);
    } else {
      put(0xF0 | point >> 18);
      put(0x80 | (point >> 12 & 0x3F));
    }
    put(0x80 | (point >> 6 & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

inline std::u32string code_points(std::string_view text) {
  std::u32string points;
  for (std::size_t i = 0; i < text.size();) {
    auto lead = static_cast<unsigned char>(text[i++]);
    int more = lead < 0x80   ? 0
               : lead < 0xC2 ? -1
               : lead < 0xE0 ? 1
               : lead < 0xF0 ? 2
               : lead < 0xF5 ? 3
                             : -1;
    std::uint32_t point = more <= 0 ? lead : lead & (0x3F >> more);
    for (; more > 0; --more) {
      if (i == text.size() || (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) break;
      point = point << 6 | (static_cast<unsigned char>(text[i++]) & 0x3F);
    }
    points += static_cast<char32_t>(more == 0 ? point : 0xFFFD);
  }
  return points;
}

}  // namespace cellmill
