#include "data/sources/csv_source.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/nearest.h"
#include "io/delimited.h"
#include "io/gzip.h"

namespace cellmill::data {
namespace {

std::string_view stripped(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool number(std::string_view text, float& value) {
  text = stripped(text);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool is_missing(std::string_view text) {
  text = stripped(text);
  return text.empty() || text == "NA" || text == "nan" || text == "NaN";
}

/// Names of the table's columns and rows.
struct Outline {
  std::vector<std::string> columns, rows;
  bool corner = true;  ///< the first row names the first column, too
};

Outline outline_of(const std::string& text, const std::string& path) {
  Outline outline;
  io::DelimitedText table(text, path);
  std::vector<std::string_view> cells;
  if (!table.next(cells)) throw DataError({path, {}, "a table", "nothing"}, "is empty");
  for (const auto cell : cells) outline.columns.emplace_back(stripped(cell));
  while (table.next(cells)) {
    if (outline.rows.empty()) outline.corner = cells.size() != outline.columns.size() + 1;
    const auto expected = outline.columns.size() + (outline.corner ? 0 : 1);
    if (cells.size() != expected)
      throw DataError({path, fmt::format("line {}", table.line()),
                       fmt::format("{} cells", expected), fmt::format("{}", cells.size())},
                      "a row of another length than the first");
    outline.rows.emplace_back(stripped(cells.front()));
  }
  if (outline.corner) outline.columns.erase(outline.columns.begin());
  if (outline.rows.empty() || outline.columns.empty())
    throw DataError(
        {path,
         {},
         "a table with samples and genes",
         fmt::format("{} rows, {} columns", outline.rows.size(), outline.columns.size())},
        "holds no cells");
  return outline;
}

bool genes_are_rows(const Outline& outline, const SourceOptions& options) {
  if (options.orientation != "auto") return options.orientation == "genes_by_samples";
  const auto in_rows = known_among(outline.rows, options.known_genes);
  const auto in_columns = known_among(outline.columns, options.known_genes);
  if (in_rows == in_columns)
    throw DataError({options.path, "first row and first column", "names of genes in one of them",
                     options.known_genes.empty()
                         ? std::string("nothing to know them by")
                         : fmt::format("{} of {} rows, {} of {} columns", in_rows,
                                       outline.rows.size(), in_columns, outline.columns.size())},
                    "is a row a gene or a sample?",
                    "say it: orientation genes_by_samples or samples_by_genes");
  log::info("{}: genes are the {} ({} known names there, {} in the {})", options.path,
            in_rows > in_columns ? "rows" : "columns", std::max(in_rows, in_columns),
            std::min(in_rows, in_columns), in_rows > in_columns ? "columns" : "rows");
  return in_rows > in_columns;
}

class Reader {
 public:
  Reader(const SourceOptions& options, const Outline& outline, bool genes_down)
      : options_(options), outline_(outline), genes_down_(genes_down) {
    place_labels();
  }

  HeldCells read(const std::string& text) {
    io::DelimitedText table(text, options_.path);
    std::vector<std::string_view> cells;
    table.next(cells);
    matrix_.indptr = {0};
    for (std::size_t row = 0; table.next(cells); ++row) {
      const std::vector<std::string_view> values(cells.begin() + 1, cells.end());
      if (row == 0 && !genes_down_) leave_text_out(values);
      if (const auto label = label_.find(outline_.rows[row]); genes_down_ && label != label_.end())
        texts_[label->second].assign(values.begin(), values.end());
      else
        add_row(row, values, table.line());
    }
    return finished();
  }

 private:
  void place_labels() {
    const auto& names = genes_down_ ? outline_.rows : outline_.columns;
    for (const auto& field : options_.fields) {
      const auto times = std::ranges::count(names, field);
      if (times > 1)
        throw DataError({options_.path, genes_down_ ? "first column" : "first row",
                         fmt::format("'{}' once", field), fmt::format("{} times", times)},
                        "a field named twice");
      if (times == 1) {
        label_.emplace(field, texts_.size());
        texts_.emplace_back();
        fields_.push_back(field);
      } else if (options_.known_genes.empty()) {
        throw DataError(
            {options_.path, genes_down_ ? "first column" : "first row", "'" + field + "'", {}},
            "no such field", did_you_mean(field, names));
      }
    }
    if (genes_down_) return;
    for (const auto& name : outline_.columns) {
      const auto label = label_.find(name);
      use_.push_back(label == label_.end() ? kGene : static_cast<int>(label->second));
    }
  }

  /// Columns of text that nobody asked for.
  void leave_text_out(const std::vector<std::string_view>& values) {
    if (options_.known_genes.empty()) return;
    const std::unordered_set<std::string_view> known(options_.known_genes.begin(),
                                                     options_.known_genes.end());
    std::vector<std::string> left;
    float value = 0;
    for (std::size_t c = 0; c < values.size(); ++c)
      if (use_[c] == kGene && !known.contains(outline_.columns[c]) && !number(values[c], value)) {
        use_[c] = kLeftOut;
        left.push_back(outline_.columns[c]);
      }
    if (!left.empty())
      log::info("{}: columns that are no genes of the model and hold text are left out: {}",
                options_.path, fmt::join(left, ", "));
  }

  void add_row(std::size_t row, const std::vector<std::string_view>& values, std::int64_t line) {
    for (std::size_t c = 0; c < values.size(); ++c) {
      if (!genes_down_ && use_[c] != kGene) {
        if (use_[c] >= 0) texts_[use_[c]].emplace_back(values[c]);
        continue;
      }
      float value = 0;
      if (!number(values[c], value))
        throw DataError(
            {options_.path, fmt::format("line {}, column '{}'", line, outline_.columns[c]),
             "a number", fmt::format("'{}'", values[c])},
            "is no number",
            genes_down_ ? "labels are rows that data.fields names"
                        : "labels are columns that data.fields names");
      if (value == 0) continue;
      matrix_.indices.push_back(static_cast<std::int32_t>(c));
      matrix_.values.push_back(value);
    }
    matrix_.indptr.push_back(static_cast<std::int64_t>(matrix_.indices.size()));
    ++matrix_.rows;
    kept_rows_.push_back(outline_.rows[row]);
  }

  HeldCells finished() {
    HeldCells held;
    const auto columns = static_cast<std::int64_t>(outline_.columns.size());
    if (genes_down_) {
      held.cells = transposed(matrix_, columns);
      held.vocabulary.genes = kept_rows_;
      held.names = outline_.columns;
    } else {
      held.cells = std::move(matrix_);
      held.names = kept_rows_;
      drop_other_columns(held);
    }
    held.cells.genes = static_cast<std::int64_t>(held.vocabulary.genes.size());
    add_labels(held);
    return held;
  }

  void drop_other_columns(HeldCells& held) const {
    std::vector<std::int32_t> place;
    for (std::size_t c = 0; c < use_.size(); ++c) {
      place.push_back(static_cast<std::int32_t>(held.vocabulary.genes.size()));
      if (use_[c] == kGene) held.vocabulary.genes.push_back(outline_.columns[c]);
    }
    for (auto& column : held.cells.indices) column = place[column];
  }

  void add_labels(HeldCells& held) const {
    const auto cells = static_cast<std::size_t>(held.cells.rows);
    held.cells.labels.assign(cells * fields_.size(), kMissing);
    for (std::size_t f = 0; f < fields_.size(); ++f) {
      std::map<std::string, std::int32_t> code;
      for (const auto& text : texts_[f])
        if (!is_missing(text)) code.emplace(stripped(text), 0);
      Field field{fields_[f], {}};
      for (auto& [text, place] : code) {
        place = static_cast<std::int32_t>(field.categories.size());
        field.categories.push_back(text);
      }
      for (std::size_t i = 0; i < cells; ++i)
        if (!is_missing(texts_[f][i]))
          held.cells.labels[i * fields_.size() + f] = code.at(std::string(stripped(texts_[f][i])));
      held.vocabulary.fields.push_back(std::move(field));
    }
  }

  static constexpr int kGene = -1, kLeftOut = -2;
  const SourceOptions& options_;
  const Outline& outline_;
  bool genes_down_;
  std::unordered_map<std::string, std::size_t> label_;  // field -> place in texts_
  std::vector<std::string> fields_, kept_rows_;
  std::vector<std::vector<std::string>> texts_;  // by field
  std::vector<int> use_;                         // of each column: kGene, kLeftOut or a field
  Chunk matrix_;
};

HeldCells read_csv(const SourceOptions& options) {
  const auto text = io::read_text_or_gzip(options.path);
  const auto outline = outline_of(text, options.path);
  return Reader(options, outline, genes_are_rows(outline, options)).read(text);
}

}  // namespace

bool is_csv(const std::string& path) {
  const auto plain = path.ends_with(".gz") ? path.substr(0, path.size() - 3) : path;
  return plain.ends_with(".csv") || plain.ends_with(".tsv");
}

CsvSource::CsvSource(const SourceOptions& options, std::shared_ptr<Faults> faults)
    : HeldSource(options, std::move(faults), read_csv(options)) {}

}  // namespace cellmill::data
