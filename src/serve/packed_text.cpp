#include "serve/packed_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "base/instruction_sets.h"

namespace cellmill::serve {
namespace {

// A packed text is pieces: a size, so many characters as they are, a size, so many characters two a
// byte, the first in its lower half. Sizes are of seven bits a byte, the lowest first.
constexpr std::size_t kBlock = 64;  // shorter lists are left as they are

constexpr bool listed(unsigned char c) {
  return (static_cast<unsigned char>(c - '0') < 10) | (c == ',') | (c == ' ');
}
constexpr std::uint8_t code_of(unsigned char c) { return (c + (c >> 4)) & 15; }

constexpr auto kCharacters = [] {
  std::array<char, 16> characters = {};
  for (const char c : {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ',', ' '})
    characters[code_of(static_cast<unsigned char>(c))] = c;
  return characters;
}();

constexpr std::uint64_t kOnes = 0x0101010101010101;

/// The highest bit of a byte is set where the byte is not 0.
constexpr std::uint64_t set_bytes(std::uint64_t eight) {
  return ((eight & 0x7f * kOnes) + 0x7f * kOnes) | eight;
}

/// Whether all of kBlock characters are, eight at a time.
CELLMILL_CLONES bool all_listed(const char* text) {
  std::uint64_t eights[kBlock / 8], others = 0;
  std::memcpy(eights, text, kBlock);
  for (const std::uint64_t c : eights) {
    const std::uint64_t digit = c ^ (kOnes * '0');  // 0 to 9, or above
    const std::uint64_t no_digit = ((digit & 0x7f * kOnes) + 0x76 * kOnes) | digit;
    others |= no_digit & set_bytes(c ^ (kOnes * ',')) & set_bytes(c ^ (kOnes * ' '));
  }
  return (others & 0x80 * kOnes) == 0;
}

CELLMILL_CLONES void pack_pairs(const char* text, std::size_t pairs, char* out) {
  for (std::size_t i = 0; i < pairs; ++i)
    out[i] = static_cast<char>(code_of(static_cast<unsigned char>(text[2 * i])) |
                               code_of(static_cast<unsigned char>(text[2 * i + 1])) << 4);
}

/// Characters of lists at the beginning of a text.
std::size_t listed_at(std::string_view text) {
  std::size_t size = 0;
  while (size + kBlock <= text.size() && all_listed(text.data() + size)) size += kBlock;
  while (size < text.size() && listed(static_cast<unsigned char>(text[size]))) ++size;
  return size;
}

void add_size(std::string& out, std::size_t size) {
  for (; size > 127; size >>= 7) out += static_cast<char>((size & 127) | 128);
  out += static_cast<char>(size);
}

class Unpacker {
 public:
  explicit Unpacker(std::string_view packed) : left_(packed) {}
  bool done() const { return left_.empty(); }
  std::size_t size() {
    std::size_t size = 0;
    for (int shift = 0; shift < 63; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      size |= static_cast<std::size_t>(byte & 127) << shift;
      if (byte < 128) return size;
    }
    fail();
  }
  std::string_view take(std::size_t size) {
    if (size > left_.size()) fail();
    const auto taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

 private:
  [[noreturn]] static void fail() {
    throw DataError({"", "", "", ""}, "a packed text is broken", "", Exit::kData);
  }
  std::string_view left_;
};

}  // namespace

std::string pack_text(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 2 + 4096);
  while (!text.empty()) {
    std::size_t plain = 0, list = 0;
    while (plain < text.size() && list < kBlock) {
      plain += list;
      while (plain < text.size() && !listed(static_cast<unsigned char>(text[plain]))) ++plain;
      list = listed_at(text.substr(plain));
    }
    if (list < kBlock) plain = text.size(), list = 0;
    add_size(out, plain);
    out.append(text.substr(0, plain));
    add_size(out, list);
    const std::size_t at = out.size();
    out.resize(at + (list + 1) / 2);
    pack_pairs(text.data() + plain, list / 2, out.data() + at);
    if (list % 2)
      out.back() = static_cast<char>(code_of(static_cast<unsigned char>(text[plain + list - 1])));
    text.remove_prefix(plain + list);
  }
  return out;
}

std::string unpack_text(std::string_view packed) {
  std::string text;
  text.reserve(2 * packed.size());
  for (Unpacker from(packed); !from.done();) {
    text += from.take(from.size());
    const std::size_t list = from.size();
    const std::string_view pairs = from.take(list / 2 + list % 2);
    for (std::size_t i = 0; i < list; ++i)
      text += kCharacters[(static_cast<unsigned char>(pairs[i / 2]) >> (i % 2 ? 4 : 0)) & 15];
  }
  return text;
}

}  // namespace cellmill::serve
