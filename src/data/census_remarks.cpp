#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/format.h"
#include "data/census_report.h"
#include "data/expression.h"

namespace cellmill::data {
namespace {

using Level = Remark::Level;

constexpr double kDominant = 0.8, kMostlyMissing = 0.5, kTogether = 0.9;
constexpr std::int64_t kFewCells = 10;

}  // namespace

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string percent(double share) {
  const double p = 100 * share;
  return fmt::format("{:.{}f} %", p, p < 10 && p > 0 ? 2 : 1);
}

FieldFacts facts_of(const FieldCount& field) {
  FieldFacts facts;
  const std::size_t n = field.cells.size() - 1;
  facts.missing = field.cells[n];
  facts.labelled = std::accumulate(field.cells.begin(), field.cells.end() - 1, std::int64_t{0});
  facts.by_size.resize(n);
  std::iota(facts.by_size.begin(), facts.by_size.end(), std::size_t{0});
  std::stable_sort(facts.by_size.begin(), facts.by_size.end(),
                   [&](auto a, auto b) { return field.cells[a] > field.cells[b]; });
  double entropy = 0;
  for (std::size_t c = 0; c < n; ++c) {
    facts.absent += field.cells[c] == 0;
    facts.rare += field.cells[c] > 0 && field.cells[c] < kFewCells;
    const double p = share(field.cells[c], facts.labelled);
    if (p > 0) entropy -= p * std::log(p);
  }
  facts.effective = std::exp(entropy);
  return facts;
}

Scale scale_of(const Census& c) {
  if (c.fractional == 0) return c.largest > kCountsAbove ? Scale::kCounts : Scale::kUnclear;
  return c.largest < std::log1p(1e4) ? Scale::kLogs : Scale::kUnclear;
}

namespace {

void remark_scale(const CensusReport& r, std::vector<Remark>& remarks) {
  if (r.vocabulary.ranked) return;
  const Census& c = r.census;
  const Scale scale = scale_of(c);
  if (scale == Scale::kCounts && !r.raw_counts)
    remarks.push_back({Level::kWarning,
                       fmt::format("the values look like counts (all integers, the largest is {}) "
                                   "and would be taken as they are",
                                   c.largest),
                       "set data.raw_counts=true"});
  if (scale == Scale::kLogs && r.raw_counts)
    remarks.push_back({Level::kWarning,
                       "data.raw_counts is true, but the values look log-normalised and would be "
                       "normalised twice",
                       "set data.raw_counts=false"});
  if (r.raw_counts && scale != Scale::kLogs && c.fractional > 0)
    remarks.push_back({Level::kWarning,
                       fmt::format("{} of the values, taken as counts, are no whole numbers",
                                   percent(share(c.fractional, c.entries))),
                       "estimated counts are well; scaled values are not"});
  const double low = c.counts_log.quantile(0.01), high = c.counts_log.quantile(0.99);
  if (!r.raw_counts && scale == Scale::kLogs && (low < 8e3 || high > 1.25e4))
    remarks.push_back(
        {Level::kWarning,
         fmt::format("exp(x) - 1 sums to between {:.0f} and {:.0f} in 98 of 100 cells, not to "
                     "10,000: the values are not log1p of counts per 10,000 over these genes",
                     low, high),
         "a model learns the difference as biology; normalise all studies alike"});
}

void remark_field(const Field& field, const FieldCount& count, std::int64_t cells,
                  std::int64_t held_out, std::vector<Remark>& remarks) {
  const auto facts = facts_of(count);
  const double missing = share(facts.missing, cells);
  if (facts.labelled == 0) {
    remarks.push_back(
        {Level::kWarning, field.name + ": no cell has a label", "leave it out of data.fields"});
    return;
  }
  if (missing >= kMostlyMissing)
    remarks.push_back(
        {Level::kWarning,
         fmt::format("{}: {} of the cells have no label", field.name, percent(missing)), ""});
  const auto top = facts.by_size.front();
  const double dominance = share(count.cells[top], facts.labelled);
  if (field.categories.size() - static_cast<std::size_t>(facts.absent) == 1)
    remarks.push_back({Level::kWarning,
                       fmt::format("{}: '{}' is the only value: there is nothing to learn from it",
                                   field.name, field.categories[top]),
                       "leave it out of data.fields"});
  else if (dominance >= kDominant)
    remarks.push_back({Level::kWarning,
                       fmt::format("{}: '{}' dominates with {} of the labelled cells", field.name,
                                   field.categories[top], percent(dominance)),
                       "accuracy alone will look good; look at macro-F1"});
  if (facts.rare > 0)
    remarks.push_back({Level::kNote,
                       fmt::format("{}: {} of {} values have fewer than {} cells", field.name,
                                   facts.rare, field.categories.size(), kFewCells),
                       ""});
  if (facts.absent > 0)
    remarks.push_back({Level::kNote,
                       fmt::format("{}: {} of {} values of the vocabulary have no cell", field.name,
                                   facts.absent, field.categories.size()),
                       ""});
  if (held_out == 0) return;
  std::vector<std::string> unseen;
  std::int64_t unseen_cells = 0;
  for (std::size_t c = 0; c < field.categories.size(); ++c)
    if (count.held_out[c] > 0 && count.held_out[c] == count.cells[c]) {
      unseen.push_back("'" + field.categories[c] + "'");
      unseen_cells += count.held_out[c];
    }
  if (unseen.empty()) return;
  const auto shown = std::min<std::size_t>(unseen.size(), 5);
  remarks.push_back(
      {Level::kWarning,
       fmt::format("{}: {} validation cells have values that training never sees: {}{}", field.name,
                   unseen_cells, fmt::join(unseen.begin(), unseen.begin() + shown, ", "),
                   unseen.size() > shown ? fmt::format(" and {} more", unseen.size() - shown) : ""),
       "their heads stay untrained; hold out other cells, or read these scores with it"});
}

}  // namespace

double cramers_v(const PairCount& pair, std::size_t across) {
  if (pair.cells.empty() || across < 3) return NAN;
  const std::size_t down = pair.cells.size() / across;
  std::vector<double> rows(down - 1), columns(across - 1);
  double n = 0;
  for (std::size_t i = 0; i + 1 < down; ++i)
    for (std::size_t j = 0; j + 1 < across; ++j) {
      const auto count = static_cast<double>(pair.cells[i * across + j]);
      rows[i] += count;
      columns[j] += count;
      n += count;
    }
  const auto used = [](const std::vector<double>& sums) {
    return static_cast<double>(
        std::count_if(sums.begin(), sums.end(), [](double s) { return s > 0; }));
  };
  const double r = used(rows), k = used(columns);
  if (n < 2 || r < 2 || k < 2) return NAN;
  double squares = 0;
  for (std::size_t i = 0; i + 1 < down; ++i)
    for (std::size_t j = 0; j + 1 < across; ++j)
      if (const auto count = static_cast<double>(pair.cells[i * across + j]); count > 0)
        squares += count * count / (rows[i] * columns[j]);
  const double phi = std::max(0.0, squares - 1 - (k - 1) * (r - 1) / (n - 1));
  const double rr = r - (r - 1) * (r - 1) / (n - 1), kk = k - (k - 1) * (k - 1) / (n - 1);
  const double least = std::min(rr - 1, kk - 1);
  return least > 0 ? std::min(1.0, std::sqrt(phi / least)) : NAN;
}

std::vector<Remark> CensusReport::remarks() const {
  std::vector<Remark> remarks;
  for (const std::string& refusal : refusals) remarks.push_back({Level::kRefused, refusal, ""});
  for (const auto& [fault, found] : census.faults)
    remarks.push_back({Level::kRefused,
                       fmt::format("{}: {} time{}; the first at {}", name_of(fault), found.count,
                                   found.count > 1 ? "s" : "", found.place()),
                       ""});
  for (const auto& [chunk, error] : census.unreadable)
    remarks.push_back(
        {Level::kRefused, error.starts_with(chunk) ? error : chunk + ": " + error, ""});
  if (census.cells == 0) {
    if (remarks.empty()) remarks.push_back({Level::kRefused, "there is no cell", ""});
    return remarks;
  }
  remark_scale(*this, remarks);
  if (census.genes.zeros() > 0)
    remarks.push_back({Level::kWarning,
                       fmt::format("{} cells express no gene", census.genes.zeros()),
                       "filter them out: they teach a model to say nothing"});
  if (census.zeros > 0)
    remarks.push_back({Level::kNote, fmt::format("{} zeros are stored as entries", census.zeros),
                       "scipy: matrix.eliminate_zeros() makes the files smaller"});
  const auto silent = std::count(census.gene_cells.begin(), census.gene_cells.end(), 0);
  if (silent > 0)
    remarks.push_back(
        {Level::kNote,
         fmt::format("{} of {} genes are in no cell", silent, census.gene_cells.size()), ""});
  for (std::size_t f = 0; f < vocabulary.fields.size(); ++f)
    remark_field(vocabulary.fields[f], census.fields[f], census.cells, census.held_out, remarks);
  for (const PairCount& pair : census.pairs) {
    const double v = cramers_v(pair, census.fields[pair.second].cells.size());
    if (v >= kTogether)
      remarks.push_back(
          {Level::kWarning,
           fmt::format("{} and {} go together (Cramér's V {:.2f})",
                       vocabulary.fields[pair.first].name, vocabulary.fields[pair.second].name, v),
           "their effects cannot be told apart; leave one out, or add data that "
           "separate them"});
  }
  return remarks;
}

bool CensusReport::refused() const {
  return !refusals.empty() || !census.faults.empty() || !census.unreadable.empty() ||
         census.cells == 0;
}

}  // namespace cellmill::data
