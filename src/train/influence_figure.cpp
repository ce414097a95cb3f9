#include "train/influence_figure.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "base/format.h"

namespace cellmill::train {
namespace {

using Colour = std::array<std::uint8_t, 3>;
constexpr Colour kInk = {40, 44, 52}, kBar = {66, 133, 244}, kGrid = {225, 228, 232};
constexpr std::int64_t kPixel = 3;  // of a glyph, which is 3 x 5

/// Fifteen bits a glyph, rows from the top.
const std::map<char, const char*>& glyphs() {
  static const std::map<char, const char*> table = {
      {'A', "010101111101101"}, {'B', "110101110101110"}, {'C', "011100100100011"},
      {'D', "110101101101110"}, {'E', "111100110100111"}, {'F', "111100110100100"},
      {'G', "011100101101011"}, {'H', "101101111101101"}, {'I', "111010010010111"},
      {'J', "001001001101010"}, {'K', "101101110101101"}, {'L', "100100100100111"},
      {'M', "101111111101101"}, {'N', "110101101101101"}, {'O', "010101101101010"},
      {'P', "110101110100100"}, {'Q', "010101101110011"}, {'R', "110101110101101"},
      {'S', "011100010001110"}, {'T', "111010010010010"}, {'U', "101101101101111"},
      {'V', "101101101101010"}, {'W', "101101111111101"}, {'X', "101101010101101"},
      {'Y', "101101010010010"}, {'Z', "111001010100111"}, {'0', "111101101101111"},
      {'1', "010110010010111"}, {'2', "110001010100111"}, {'3', "110001010001110"},
      {'4', "101101111001001"}, {'5', "111100110001110"}, {'6', "011100111101111"},
      {'7', "111001010010010"}, {'8', "111101111101111"}, {'9', "111101111001110"},
      {'.', "000000000000010"}, {'-', "000000111000000"}, {'_', "000000000000111"},
      {'+', "000010111010000"}, {'/', "001001010100100"}, {':', "000010000010000"}};
  return table;
}

class Canvas {
 public:
  Canvas(std::int64_t width, std::int64_t height) {
    image_.width = width;
    image_.height = height;
    image_.rgb.assign(static_cast<std::size_t>(width * height * 3), 255);
  }
  void box(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
           const Colour& c) {
    for (auto j = std::max<std::int64_t>(0, y); j < std::min(y + height, image_.height); ++j) {
      for (auto i = std::max<std::int64_t>(0, x); i < std::min(x + width, image_.width); ++i) {
        std::copy(c.begin(), c.end(), image_.rgb.begin() + (j * image_.width + i) * 3);
      }
    }
  }
  void text(std::int64_t x, std::int64_t y, const std::string& words) {
    for (const char letter : words) {
      const auto glyph =
          glyphs().find(static_cast<char>(std::toupper(static_cast<unsigned char>(letter))));
      for (std::int64_t bit = 0; glyph != glyphs().end() && bit < 15; ++bit) {
        if (glyph->second[bit] == '1') {
          box(x + bit % 3 * kPixel, y + bit / 3 * kPixel, kPixel, kPixel, kInk);
        }
      }
      x += 4 * kPixel;
    }
  }
  io::Image image() && { return std::move(image_); }

 private:
  io::Image image_;
};

}  // namespace

io::Image influence_figure(const std::vector<HeadInfluence>& heads) {
  constexpr std::int64_t kRow = 36, kPlot = 420, kMargin = 12;
  std::size_t letters = 4;
  double largest = 1e-30;
  for (const auto& h : heads) {
    letters = std::max(letters, std::min<std::size_t>(h.head.size(), 24));
    largest = std::max(largest, h.high);
  }
  const auto left = kMargin + static_cast<std::int64_t>(letters + 1) * 4 * kPixel;
  const auto rows = static_cast<std::int64_t>(heads.size());
  Canvas canvas(left + kPlot + 9 * 4 * kPixel + kMargin, rows * kRow + 2 * kMargin);
  for (int quarter = 0; quarter <= 4; ++quarter) {
    canvas.box(left + quarter * kPlot / 4, kMargin, 1, rows * kRow, kGrid);
  }
  const auto x_of = [&](double value) {
    return left + static_cast<std::int64_t>(value / largest * kPlot);
  };
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto& h = heads[static_cast<std::size_t>(r)];
    const auto y = kMargin + r * kRow;
    canvas.text(kMargin, y + 10, h.head.substr(0, 24));
    canvas.box(left, y + 6, std::max<std::int64_t>(1, x_of(h.mean) - left), kRow - 12, kBar);
    canvas.box(x_of(h.low), y + kRow / 2, std::max<std::int64_t>(1, x_of(h.high) - x_of(h.low)), 2,
               kInk);
    canvas.text(left + kPlot + kMargin, y + 10, fmt::format("{:.3g}", h.mean));
  }
  return std::move(canvas).image();
}

}  // namespace cellmill::train
