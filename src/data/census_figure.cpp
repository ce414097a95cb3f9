#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "data/census_report.h"
#include "io/chart.h"
#include "io/files.h"

namespace cellmill::data {
namespace {

io::Svg histogram_of(const std::string& title, const std::string& label, const Spread& spread) {
  std::vector<io::Bin> bins;
  for (const auto& bin : spread.bins(56))
    bins.push_back({bin.low, bin.high, static_cast<double>(bin.count)});
  return io::histogram(title, label, bins);
}

io::Shares shares_of(const Field& field, const FieldCount& count, std::int64_t cells) {
  constexpr std::size_t kShown = 7;
  const auto order = facts_of(count).by_size;
  io::Shares row{field.name, {}, {}};
  std::int64_t others = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (k < kShown)
      row.parts.emplace_back(field.categories[order[k]], share(count.cells[order[k]], cells));
    else
      others += count.cells[order[k]];
  }
  if (others > 0)
    row.parts.emplace_back(fmt::format("({} others)", order.size() - kShown), share(others, cells));
  const double missing = share(count.cells.back(), cells);
  row.parts.emplace_back("(no label)", missing);
  row.remark = fmt::format("{} values, {} without label", order.size(), percent(missing));
  return row;
}

io::Svg together(const CensusReport& r) {
  const std::size_t n = r.vocabulary.fields.size();
  std::vector<std::string> names;
  for (const Field& field : r.vocabulary.fields) names.push_back(field.name);
  std::vector<std::vector<double>> values(n, std::vector<double>(n, 1));
  for (const PairCount& pair : r.census.pairs)
    values[pair.first][pair.second] = values[pair.second][pair.first] =
        cramers_v(pair, r.census.fields[pair.second].cells.size());
  return io::heat_map("Which fields go together (Cramér's V)", names, values);
}

}  // namespace

std::vector<io::Svg> charts_of(const CensusReport& r) {
  const bool logs = scale_of(r.census) == Scale::kLogs;
  std::vector<io::Svg> charts;
  charts.push_back(histogram_of("Library sizes",
                                logs ? "sum of exp(x) - 1 of a cell" : "sum of a cell's values",
                                logs ? r.census.counts_log : r.census.library));
  charts.push_back(histogram_of("Genes a cell", "genes above 0", r.census.genes));
  if (r.vocabulary.fields.empty()) return charts;
  std::vector<io::Shares> rows;
  for (std::size_t f = 0; f < r.vocabulary.fields.size(); ++f)
    rows.push_back(shares_of(r.vocabulary.fields[f], r.census.fields[f], r.census.cells));
  charts.push_back(io::shares_chart("Values of each field, by cells", rows));
  if (r.vocabulary.fields.size() > 1) charts.push_back(together(r));
  return charts;
}

io::Svg figure_of(const CensusReport& r) {
  constexpr double kGap = 8;
  const auto charts = charts_of(r);
  double left = 0, right = 0;  // two columns, the shorter one first
  std::vector<std::pair<double, double>> places;
  for (const io::Svg& chart : charts) {
    const bool to_left = left <= right;
    double& column = to_left ? left : right;
    places.emplace_back(to_left ? 0 : io::kChartWidth + kGap, column);
    column += chart.height() + kGap;
  }
  io::Svg figure(2 * io::kChartWidth + kGap, std::max(left, right) + 28);
  figure.box(0, 0, figure.width(), figure.height(), "#ffffff");
  figure.text(
      12, 20,
      fmt::format("{}: {} cells, {} genes", r.path, r.census.cells, r.vocabulary.genes.size()),
      {.size = 13, .bold = true});
  for (std::size_t k = 0; k < charts.size(); ++k)
    figure.put(places[k].first, places[k].second + 28, charts[k]);
  return figure;
}

void write_figure(const CensusReport& r, const std::string& path) {
  io::write_text_atomically(path, figure_of(r).element());
}

}  // namespace cellmill::data
