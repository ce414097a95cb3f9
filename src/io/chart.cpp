#include "io/chart.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/format.h"
#include "base/utf8.h"

namespace cellmill::io {
namespace {

using Points = std::vector<std::pair<double, double>>;

constexpr double kLeft = 62, kRight = 14, kTop = 30, kBottom = 40, kPlotHeight = 170;
constexpr const char *kGrid = "#e4e7eb", *kAxis = "#8a94a0", *kFill = "#0072b2";
// Okabe and Ito, for eyes that tell no red from green; then greys
constexpr std::array<const char*, 8> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#6b4f9e", "#7a7a7a"};

const char* colour(std::size_t i) { return kColours[i % kColours.size()]; }

std::string number(double value) {
  const double size = std::abs(value);
  if (size >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.3g}k", value / 1e3);
  return fmt::format("{:.4g}", value);
}

/// A range, straight or logarithmic, on pixels.
struct Axis {
  double low, high, from, to;
  bool logarithmic = false;
  double at(double value) const {
    const auto scaled = [&](double v) { return logarithmic ? std::log10(v) : v; };
    return from + (scaled(value) - scaled(low)) / (scaled(high) - scaled(low)) * (to - from);
  }
  std::vector<double> ticks() const {
    std::vector<double> ticks;
    if (logarithmic) {
      const bool few = high / low < 300;
      for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high; decade *= 10)
        for (const double part : {1.0, 2.0, 5.0})
          if ((few || part == 1) && decade * part >= low && decade * part <= high)
            ticks.push_back(decade * part);
      while (ticks.size() > 7)
        for (std::size_t k = ticks.size(); k-- > 0;)
          if (k % 2 == 1) ticks.erase(ticks.begin() + static_cast<std::ptrdiff_t>(k));
      return ticks;
    }
    const double rough = (high - low) / 4, power = std::pow(10, std::floor(std::log10(rough)));
    const double part = rough / power, step = (part < 1.5   ? 1
                                               : part < 3.5 ? 2
                                               : part < 7.5 ? 5
                                                            : 10) *
                                              power;
    for (double tick = std::ceil(low / step - 1e-9) * step; tick <= high + 1e-9 * step;
         tick += step)
      ticks.push_back(std::abs(tick) < 1e-9 * step ? 0 : tick);
    return ticks;
  }
};

Svg framed(const std::string& title, double height) {
  Svg svg(kChartWidth, height);
  svg.box(0, 0, kChartWidth, height, "#ffffff");
  svg.text(12, 19, shortened(title, 60), {.size = 13, .colour = "#111", .bold = true});
  return svg;
}

Svg nothing(const std::string& title) {
  Svg svg = framed(title, 60);
  svg.text(12, 42, "nothing to show", {.colour = kAxis});
  return svg;
}

void draw_axes(Svg& svg, const Axis& x, const Axis& y, const std::string& x_label) {
  for (const double tick : y.ticks()) {
    svg.line({{x.from, y.at(tick)}, {x.to, y.at(tick)}}, kGrid);
    svg.text(x.from - 6, y.at(tick) + 4, number(tick), {.anchor = "end", .size = 10});
  }
  for (const double tick : x.ticks()) {
    svg.line({{x.at(tick), y.from}, {x.at(tick), y.from + 4}}, kAxis);
    svg.text(x.at(tick), y.from + 16, number(tick), {.anchor = "middle", .size = 10});
  }
  svg.line({{x.from, y.from}, {x.to, y.from}}, kAxis);
  svg.text((x.from + x.to) / 2, y.from + 31, x_label,
           {.anchor = "middle", .size = 10, .colour = kAxis});
}

Axis axis_over(double low, double high, double from, double to) {
  if (!(high > low)) {
    const double room = low == 0 ? 1 : std::abs(low) / 10;
    low -= room;
    high += room;
  }
  return {low, high, from, to};
}

/// At most two points a pixel.
Points thinned(const Points& points) {
  constexpr std::size_t kMost = 800;
  const std::size_t stride = (points.size() + kMost - 1) / kMost;
  Points kept;
  for (std::size_t i = 0; i < points.size(); ++i)
    if ((i % stride == 0 || i + 1 == points.size()) && std::isfinite(points[i].second))
      kept.push_back(points[i]);
  return kept;
}

}  // namespace

std::string shortened(const std::string& text, std::size_t letters) {
  const auto points = code_points(text);
  if (points.size() <= letters) return text;
  std::string out;
  for (std::size_t i = 0; i + 1 < letters; ++i) append_utf8(out, points[i]);
  return out + "…";
}

Svg line_chart(const std::string& title, const std::string& x_label,
               const std::vector<Series>& series) {
  std::vector<Series> kept;
  double x_low = INFINITY, x_high = -INFINITY, low = INFINITY, high = -INFINITY;
  for (const Series& s : series) {
    kept.push_back({s.name, thinned(s.points)});
    for (const auto& [x, y] : kept.back().points) {
      x_low = std::min(x_low, x);
      x_high = std::max(x_high, x);
      low = std::min(low, y);
      high = std::max(high, y);
    }
  }
  std::erase_if(kept, [](const Series& s) { return s.points.empty(); });
  if (kept.empty()) return nothing(title);
  const double legend = kept.size() > 1 ? 18.0 * static_cast<double>((kept.size() + 2) / 3) : 0;
  Svg svg = framed(title, kTop + kPlotHeight + kBottom + legend);
  const double bottom = kTop + kPlotHeight;
  const Axis x = axis_over(x_low, x_high, kLeft, kChartWidth - kRight);
  Axis y = axis_over(low, high, bottom, kTop + 4);
  y.logarithmic = low > 0 && high > 50 * low;
  draw_axes(svg, x, y, x_label);
  for (std::size_t s = 0; s < kept.size(); ++s) {
    Points pixels;
    for (const auto& [px, py] : kept[s].points) pixels.emplace_back(x.at(px), y.at(py));
    svg.line(pixels, colour(s), 1.6);
    if (pixels.size() <= 60)
      for (const auto& [px, py] : pixels) svg.box(px - 2, py - 2, 4, 4, colour(s));
    if (legend == 0) continue;
    const double lx = 16 + 146.0 * static_cast<double>(s % 3),
                 ly = bottom + kBottom + 18.0 * static_cast<double>(s / 3) + 4;
    svg.box(lx, ly - 4, 12, 4, colour(s));
    svg.text(lx + 17, ly, shortened(kept[s].name, 21), {.size = 10});
  }
  return svg;
}

Svg histogram(const std::string& title, const std::string& x_label, const std::vector<Bin>& bins) {
  double most = 0;
  for (const Bin& bin : bins) most = std::max(most, bin.count);
  if (most == 0) return nothing(title);
  Svg svg = framed(title, kTop + kPlotHeight + kBottom);
  const double bottom = kTop + kPlotHeight;
  const Axis x{bins.front().low, bins.back().high, kLeft, kChartWidth - kRight, true};
  const Axis y{0, most, bottom, kTop + 4};
  draw_axes(svg, x, y, x_label);
  for (const Bin& bin : bins)
    if (bin.count > 0)
      svg.box(x.at(bin.low), y.at(bin.count), std::max(0.6, x.at(bin.high) - x.at(bin.low) - 0.6),
              bottom - y.at(bin.count), kFill,
              fmt::format("{} to {}: {:.0f}", number(bin.low), number(bin.high), bin.count));
  return svg;
}

Svg bar_chart(const std::string& title, const std::vector<Bar>& bars) {
  double most = 0;
  for (const Bar& bar : bars) most = std::max({most, bar.value, bar.high});
  if (most <= 0) return nothing(title);
  constexpr double kRow = 24, kNames = 150, kNumbers = 60;
  Svg svg = framed(title, kTop + kRow * static_cast<double>(bars.size()) + 14);
  const Axis x{0, most, kNames, kChartWidth - kNumbers};
  double y = kTop + 4;
  for (const Bar& bar : bars) {
    svg.text(kNames - 8, y + 15, shortened(bar.name, 22), {.anchor = "end"});
    svg.box(x.from, y + 3, std::max(0.5, x.at(bar.value) - x.from), kRow - 8, kFill);
    if (bar.high > bar.low)
      svg.line({{x.at(bar.low), y + kRow / 2 - 1}, {x.at(bar.high), y + kRow / 2 - 1}}, "#333",
               1.5);
    svg.text(kChartWidth - kNumbers + 8, y + 15, number(bar.value), {.size = 10});
    y += kRow;
  }
  return svg;
}

Svg shares_chart(const std::string& title, const std::vector<Shares>& rows) {
  if (rows.empty()) return nothing(title);
  constexpr double kRow = 50, kMargin = 14;
  Svg svg = framed(title, kTop + kRow * static_cast<double>(rows.size()) + 8);
  double y = kTop;
  for (const Shares& row : rows) {
    svg.text(kMargin, y + 11, shortened(row.name, 30), {.bold = true});
    svg.text(kChartWidth - kMargin, y + 11, shortened(row.remark, 52),
             {.anchor = "end", .size = 10, .colour = "#667"});
    double x = kMargin;
    std::size_t place = 0;
    for (const auto& [name, share] : row.parts) {
      const double width = share * (kChartWidth - 2 * kMargin);
      const bool rest = name.starts_with('(');
      svg.box(x, y + 16, std::max(0.0, width - 0.8), 22, rest ? "#d5d9de" : colour(place),
              fmt::format("{}: {:.1f} %", name, 100 * share));
      const auto letters = static_cast<std::size_t>(std::max(0.0, (width - 8) / 6.2));
      if (letters >= 4)
        svg.text(x + 4, y + 31, shortened(name, letters),
                 {.size = 10, .colour = rest ? "#333" : "#fff"});
      x += width;
      ++place;
    }
    y += kRow;
  }
  return svg;
}

Svg heat_map(const std::string& title, const std::vector<std::string>& names,
             const std::vector<std::vector<double>>& values) {
  if (names.empty()) return nothing(title);
  constexpr double kNames = 130;
  const auto n = static_cast<double>(names.size());
  const double cell = std::min(46.0, (kChartWidth - kNames - kRight) / n);
  Svg svg = framed(title, kTop + cell * n + 74);
  for (std::size_t row = 0; row < names.size(); ++row) {
    const double y = kTop + 4 + cell * static_cast<double>(row);
    svg.text(kNames - 8, y + cell / 2 + 4, shortened(names[row], 19), {.anchor = "end"});
    for (std::size_t column = 0; column < names.size(); ++column) {
      const double value = values[row][column], x = kNames + cell * static_cast<double>(column);
      const bool known = std::isfinite(value);
      const auto light = static_cast<int>(std::lround(known ? 245 - 190 * value : 230));
      const auto tint = known ? fmt::format("rgb({0},{1},245)", light, std::min(245, light + 25))
                              : std::string("#eee");
      svg.box(x, y, cell - 1, cell - 1, tint,
              names[row] + " × " + names[column] +
                  (known ? fmt::format(": {:.2f}", value) : ": not counted"));
      if (cell >= 26)
        svg.text(
            x + cell / 2, y + cell / 2 + 4, known ? fmt::format("{:.2f}", value) : "–",
            {.anchor = "middle", .size = 10, .colour = known && value > 0.6 ? "#fff" : "#333"});
    }
  }
  for (std::size_t column = 0; column < names.size(); ++column) {
    const double x = kNames + cell * (static_cast<double>(column) + 0.5);
    const auto letters = static_cast<std::size_t>(std::max(2.0, cell / 3));
    svg.text(x, kTop + 4 + cell * n + 14 + (column % 2 ? 14 : 0), shortened(names[column], letters),
             {.anchor = "middle", .size = 10});
  }
  return svg;
}

}  // namespace cellmill::io
