#pragma once
// Vector pictures as text, for pages and files that stand alone: no script, no font, no reference
// to anything outside. Colours are as CSS writes them. One thread.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cellmill::io {

/// Text as it stands in XML and HTML, between tags or in quotes; what is no UTF-8, and control
/// characters, become U+FFFD.
std::string xml_text(std::string_view text);

class Svg {
 public:
  Svg(double width, double height) : width_(width), height_(height) {}
  double width() const { return width_; }
  double height() const { return height_; }

  /// `tip` is shown where the mouse rests.
  void box(double x, double y, double width, double height, const std::string& colour,
           const std::string& tip = {});
  void line(const std::vector<std::pair<double, double>>& points, const std::string& colour,
            double width = 1);
  struct Words {
    const char* anchor = "start";  ///< start | middle | end
    double size = 11;
    const char* colour = "#333";
    bool bold = false;
  };
  void text(double x, double y, const std::string& words, const Words& style);
  void text(double x, double y, const std::string& words) { text(x, y, words, Words{}); }
  /// Another picture, with its upper left corner there.
  void put(double x, double y, const Svg& other);

  /// The whole element, with its own namespace.
  std::string element() const;

 private:
  double width_, height_;
  std::string body_;
};

}  // namespace cellmill::io
