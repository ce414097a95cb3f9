#pragma once
// The few charts that reports need, all of one width, so that they stand side by side. Values that
// are not finite are left out; a chart without values says so.
#include <string>
#include <vector>

#include "io/svg.h"

namespace cellmill::io {

inline constexpr double kChartWidth = 460;

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< in order of x
};
/// Curves over steps; the y axis is logarithmic where positive values span more than a factor 50.
Svg line_chart(const std::string& title, const std::string& x_label,
               const std::vector<Series>& series);

struct Bin {
  double low = 0, high = 0, count = 0;
};
/// `bins` rising and joined; logarithmic along x.
Svg histogram(const std::string& title, const std::string& x_label, const std::vector<Bin>& bins);

struct Bar {
  std::string name;
  double value = 0;
  double low = 0, high = 0;  ///< a whisker, if high > low
};
Svg bar_chart(const std::string& title, const std::vector<Bar>& bars);

/// A row of parts of a whole: {"T cell", 0.6}.
struct Shares {
  std::string name;
  std::vector<std::pair<std::string, double>> parts;
  std::string remark;  ///< under the row
};
Svg shares_chart(const std::string& title, const std::vector<Shares>& rows);

/// `values` [names, names] in 0 to 1; NaN: not known.
Svg heat_map(const std::string& title, const std::vector<std::string>& names,
             const std::vector<std::vector<double>>& values);

/// `text`, or its beginning and "…".
std::string shortened(const std::string& text, std::size_t letters);

}  // namespace cellmill::io
