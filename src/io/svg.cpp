#include "io/svg.h"

#include "base/format.h"
#include "base/utf8.h"

namespace cellmill::io {

std::string xml_text(std::string_view text) {
  std::string out;
  for (const char32_t point : code_points(text)) {
    switch (point) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        append_utf8(out, point < 0x20 && point != '\n' && point != '\t' ? 0xFFFD : point);
    }
  }
  return out;
}

void Svg::box(double x, double y, double width, double height, const std::string& colour,
              const std::string& tip) {
  body_ += fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
      "fill=\"{}\"",
      x, y, width, height, colour);
  body_ += tip.empty() ? "/>\n" : "><title>" + xml_text(tip) + "</title></rect>\n";
}

void Svg::line(const std::vector<std::pair<double, double>>& points, const std::string& colour,
               double width) {
  if (points.empty()) return;
  std::string list;
  for (const auto& [x, y] : points) list += fmt::format("{:.1f},{:.1f} ", x, y);
  list.pop_back();
  body_ += fmt::format(
      "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" "
      "stroke-linejoin=\"round\"/>\n",
      list, colour, width);
}

void Svg::text(double x, double y, const std::string& words, const Words& style) {
  body_ += fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\" "
      "fill=\"{}\"{}>{}</text>\n",
      x, y, style.anchor, style.size, style.colour, style.bold ? " font-weight=\"600\"" : "",
      xml_text(words));
}

void Svg::put(double x, double y, const Svg& other) {
  body_ += fmt::format("<g transform=\"translate({:.1f} {:.1f})\">\n{}</g>\n", x, y, other.body_);
}

std::string Svg::element() const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"system-ui, sans-serif\" role=\"img\">\n{2}"
      "</svg>\n",
      width_, height_, body_);
}

}  // namespace cellmill::io
