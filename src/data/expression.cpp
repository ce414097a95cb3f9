#include "data/expression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "data/row_check.h"

namespace cellmill::data {
namespace {

constexpr std::int64_t kRowsJudged = 4096;  // whose scale is looked at

/// Rows of the chunk from `from` on, of which the first is row `first_row` of the file.
struct Scope {
  const std::string& file;
  std::int64_t first_row, from;
  DataError error(const std::string& where, const std::string& what, const std::string& expected,
                  const std::string& found, std::string hint = {}) const {
    return DataError({file, where, expected, found}, what, std::move(hint));
  }
  std::string row(std::int64_t r) const { return fmt::format("row {}", first_row + r - from); }
  std::string cell(std::int64_t r, std::int64_t column) const {
    return fmt::format("row {}, column {}", first_row + r - from, column);
  }
};

void check_shape(const Chunk& chunk, const Scope& at) {
  const auto& indptr = chunk.indptr;
  if (static_cast<std::int64_t>(indptr.size()) != chunk.rows + 1)
    throw at.error("indptr", "one entry a row and one more",
                   fmt::format("{} entries", chunk.rows + 1), fmt::format("{}", indptr.size()));
  if (indptr.front() != 0)
    throw at.error("indptr", "the first entry is not 0", "0", fmt::format("{}", indptr.front()));
  for (std::int64_t r = at.from; r < chunk.rows; ++r)
    if (indptr[r + 1] < indptr[r])
      throw at.error(at.row(r), "indptr falls", fmt::format("at least {}", indptr[r]),
                     fmt::format("{}", indptr[r + 1]));
  for (const auto& [name, size] :
       {std::pair{"indices", chunk.indices.size()}, std::pair{"data", chunk.values.size()}})
    if (static_cast<std::int64_t>(size) != indptr.back())
      throw at.error(name, "another length than indptr's last entry",
                     fmt::format("{}", indptr.back()), fmt::format("{}", size));
}

void check_value(float value, std::int64_t row, std::int64_t column, const Scope& at) {
  if (value >= 0 && value <= std::numeric_limits<float>::max()) return;
  const std::string what = std::isnan(value)   ? "not a number"
                           : std::isinf(value) ? "infinite"
                                               : "a negative value";
  throw at.error(
      at.cell(row, column), what, "a finite value of at least 0", fmt::format("{}", value),
      value < 0 ? "expression must be counts or log1p of counts per 10,000, not scaled" : "");
}

void sort_row(Chunk& chunk, std::int64_t begin, std::int64_t end) {
  std::vector<std::pair<std::int32_t, float>> entries;
  entries.reserve(end - begin);
  for (auto k = begin; k < end; ++k) entries.emplace_back(chunk.indices[k], chunk.values[k]);
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto k = begin; k < end; ++k)
    std::tie(chunk.indices[k], chunk.values[k]) = entries[k - begin];
}

void check_row(Chunk& chunk, std::int64_t row, const Scope& at) {
  const auto begin = chunk.indptr[row], end = chunk.indptr[row + 1];
  bool rising = true;
  for (auto k = begin; k < end; ++k) {
    const auto column = chunk.indices[k];
    if (column < 0 || column >= chunk.genes)
      throw at.error(at.row(row), "a column that does not exist",
                     fmt::format("0 to {}", chunk.genes - 1), fmt::format("{}", column));
    check_value(chunk.values[k], row, column, at);
    rising = rising && (k == begin || chunk.indices[k - 1] < column);
  }
  if (rising) return;
  sort_row(chunk, begin, end);
  for (auto k = begin + 1; k < end; ++k)
    if (chunk.indices[k - 1] == chunk.indices[k])
      throw at.error(at.cell(row, chunk.indices[k]), "the column is given twice in its row", "once",
                     "twice", "scipy: matrix.sum_duplicates()");
}

void normalise(Chunk& chunk, std::int64_t from) {
  for (std::int64_t r = from; r < chunk.rows; ++r) {
    const auto begin = chunk.values.begin() + chunk.indptr[r];
    const auto end = chunk.values.begin() + chunk.indptr[r + 1];
    const double sum = std::accumulate(begin, end, 0.0);
    if (sum <= 0) continue;
    const double scale = 1e4 / sum;  // beyond float for a row of the smallest numbers
    std::transform(begin, end, begin,
                   [scale](float x) { return std::log1p(static_cast<float>(x * scale)); });
  }
}

// What speaks against the scale that the values are taken for, if anything does.
std::string doubt_about_scale(float largest, bool integers, bool raw_counts, bool takes_counts) {
  const bool logs = !integers && largest < std::log1p(1e4f);
  if (takes_counts)
    return logs && largest > 0
               ? fmt::format(
                     "the values look log-normalised (fractions, the largest is {}), but this "
                     "model takes counts and normalises them itself: its answers to logarithms "
                     "mean little; give it the counts (h5ad: a layer, or raw)",
                     largest)
               : "";
  if (raw_counts && logs)
    return fmt::format(
        "raw_counts is true, but the values look log-normalised (fractions, the largest is {}) "
        "and would be normalised twice; set raw_counts: false if they are",
        largest);
  if (raw_counts && !integers)
    return "raw_counts is true, but not all values are whole numbers; they are taken as expected "
           "counts";
  if (!raw_counts && integers && largest > kCountsAbove)
    return fmt::format(
        "the values look like counts (all integers, the largest is {}) and are taken as they are; "
        "set raw_counts: true to normalise them to log1p of counts per 10,000",
        largest);
  return "";
}

}  // namespace

void Expression::prepare(Chunk& chunk, const std::string& file, std::int64_t first_row,
                         std::int64_t from) const {
  const Scope at{file, first_row, from};
  check_shape(chunk, at);
  if (!rows_are_good(chunk.indptr.data() + from, chunk.rows - from, chunk.indices.data(),
                     chunk.values.data(), chunk.genes)) {
    if (faults_) leave_out(chunk, file, first_row, from);
    for (std::int64_t r = from; r < chunk.rows; ++r) check_row(chunk, r, at);
  }
  if (!faults_ && !warned_.load(std::memory_order_relaxed) &&
      rows_judged_.load(std::memory_order_relaxed) < kRowsJudged) {
    rows_judged_ += chunk.rows - from;
    warn_if_scale_is_doubtful(chunk, from, file);
  }
  if (raw_counts_) normalise(chunk, from);
}

void Expression::leave_out(Chunk& chunk, const std::string& file, std::int64_t first_row,
                           std::int64_t from) const {
  auto kept = chunk.indptr[from], begin = kept;
  for (std::int64_t r = from; r < chunk.rows; ++r) {
    const auto end = chunk.indptr[r + 1];
    if (std::any_of(&chunk.indices[begin], &chunk.indices[begin] + (end - begin),
                    [last = -1](auto c) mutable { return c <= std::exchange(last, c); }))
      sort_row(chunk, begin, end);
    const auto row_begin = kept;
    for (auto k = begin; k < end; ++k) {
      const auto column = chunk.indices[k];
      const float value = chunk.values[k];
      const bool again = kept > row_begin && chunk.indices[kept - 1] == column;
      const auto fault = column < 0 || column >= chunk.genes ? std::optional(Fault::kColumnOutside)
                         : std::isnan(value)                 ? std::optional(Fault::kNotANumber)
                         : std::isinf(value)                 ? std::optional(Fault::kInfinite)
                         : value < 0                         ? std::optional(Fault::kNegative)
                         : again                             ? std::optional(Fault::kColumnTwice)
                                                             : std::nullopt;
      if (fault) {
        faults_->note(*fault, file, first_row + r - from, column);
        continue;
      }
      chunk.indices[kept] = column;
      chunk.values[kept++] = value;
    }
    begin = end;
    chunk.indptr[r + 1] = kept;
  }
  chunk.indices.resize(static_cast<std::size_t>(kept));
  chunk.values.resize(static_cast<std::size_t>(kept));
}

void Expression::warn_if_scale_is_doubtful(const Chunk& chunk, std::int64_t from,
                                           const std::string& file) const {
  float largest = 0;
  bool integers = true;
  for (auto k = chunk.indptr[from]; k < chunk.entries(); ++k) {
    const float x = chunk.values[k];
    largest = std::max(largest, x);
    integers = integers && x == std::floor(x);
  }
  const std::string doubt = doubt_about_scale(largest, integers, raw_counts_, takes_counts_);
  if (!doubt.empty() && !warned_.exchange(true)) log::warn("{}: {}", file, doubt);
}

void refuse_fractions(const Chunk& chunk, const std::string& file, std::int64_t first_cell,
                      const std::vector<std::string>& genes) {
  const auto fraction = std::find_if(chunk.values.begin(), chunk.values.end(),
                                     [](float value) { return value != std::floor(value); });
  if (fraction == chunk.values.end()) return;
  const auto at = fraction - chunk.values.begin();
  const auto row = std::upper_bound(chunk.indptr.begin(), chunk.indptr.end(), at) - 1;
  throw DataError({file,
                   fmt::format("cell {}, gene {}", first_cell + (row - chunk.indptr.begin()),
                               genes[static_cast<std::size_t>(chunk.indices[at])]),
                   "a count", fmt::format("{}", *fraction)},
                  "the values are no counts",
                  "name the counts (h5ad: --layer raw, or a layer); logarithms rank otherwise; "
                  "--allow-fractions takes estimated counts");
}

}  // namespace cellmill::data
