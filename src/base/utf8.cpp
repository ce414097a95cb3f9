#include "base/utf8.h"

namespace cellmill {

std::size_t utf8_ends_at(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) {
      return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U;
    };
    const unsigned lead = byte(0);
    std::size_t more = 0;
    unsigned low = 0x80, high = 0xBF;  // of the second byte
    if (lead >= 0x80) {
      if (lead < 0xC2 || lead > 0xF4) return i;
      more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
      if (lead == 0xE0) low = 0xA0;
      if (lead == 0xED) high = 0x9F;
      if (lead == 0xF0) low = 0x90;
      if (lead == 0xF4) high = 0x8F;
    }
    for (std::size_t k = 1; k <= more; ++k) {
      if (byte(k) < low || byte(k) > high) return i;
      low = 0x80;
      high = 0xBF;
    }
    i += 1 + more;
  }
  return std::string_view::npos;
}

}  // namespace cellmill
