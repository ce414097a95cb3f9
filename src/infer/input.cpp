#include "infer/input.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/log.h"
#include "base/nearest.h"
#include "data/sources/csv_source.h"
#include "data/sources/h5ad_obs.h"
#include "data/sources/mtx_source.h"
#include "data/store/pack_store.h"
#include "io/hdf5.h"

namespace cellmill::infer {
namespace {

// "field=column" -> the input's column of each field that has another name there.
std::map<std::string, std::string> renamed(const std::vector<std::string>& settings,
                                           const data::Vocabulary& model) {
  std::vector<std::string> known;
  for (const data::Field& field : model.fields) known.push_back(field.name);
  std::map<std::string, std::string> columns;
  for (const std::string& text : settings) {
    const auto equals = text.find('=');
    const std::string field = text.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == text.size())
      throw UsageError("--column " + text + " is not FIELD=COLUMN");
    if (std::find(known.begin(), known.end(), field) == known.end())
      throw UsageError("--column " + text + ": the model has no field '" + field + "'",
                       did_you_mean(field, known));
    columns[field] = text.substr(equals + 1);
  }
  return columns;
}

std::string column_of(const std::string& field, const std::map<std::string, std::string>& renames) {
  const auto it = renames.find(field);
  return it == renames.end() ? field : it->second;
}

// Fields of the model that the input has; where it has none, or no label codes, no labels are read.
data::SourceOptions source_options(const InputOptions& options, const data::Vocabulary& model,
                                   const std::map<std::string, std::string>& renames) {
  data::SourceOptions source;
  source.path = options.path;
  source.genes = options.genes;
  source.layer = options.layer;
  source.raw_counts = options.raw_counts;
  source.takes_counts = options.takes_counts;
  source.labels_optional = true;
  source.orientation = options.orientation;
  source.known_genes = model.genes;
  if (data::is_pack_store(options.path)) return source;
  if (data::is_mtx(options.path) || data::is_csv(options.path)) {
    for (const data::Field& field : model.fields)
      source.fields.push_back(column_of(field.name, renames));
    return source;
  }
  if (!data::is_h5ad(options.path)) {
    source.metadata = options.metadata;
    return source;
  }
  if (!std::filesystem::exists(options.path)) return source;
  const io::H5File file = io::H5File::open(options.path);
  const auto columns = data::categorical_columns(file);
  for (const data::Field& field : model.fields) {
    const std::string column = column_of(field.name, renames);
    if (std::find(columns.begin(), columns.end(), column) != columns.end())
      source.fields.push_back(column);
    else if (renames.count(field.name))
      throw DataError({options.path, "/obs", "a column '" + column + "' of categories", {}},
                      "no such column", did_you_mean(column, columns));
  }
  return source;
}

/// Of the first of the names "A|B" that is there; -1: none is.
std::int32_t column_named(const std::string& names, const std::vector<std::string>& genes) {
  for (std::size_t begin = 0; begin <= names.size();) {
    const auto end = std::min(names.find('|', begin), names.size());
    const auto found = std::find(genes.begin(), genes.end(), names.substr(begin, end - begin));
    if (found != genes.end()) return static_cast<std::int32_t>(found - genes.begin());
    begin = end + 1;
  }
  return -1;
}

}  // namespace

Input::Input(const InputOptions& options, const data::Vocabulary& model)
    : options_(options), model_genes_(static_cast<std::int64_t>(model.genes.size())) {
  const auto renames = renamed(options.columns, model);
  source_ = data::open_source(source_options(options, model, renames));
  const data::Vocabulary& own = source_->vocabulary();
  if (own.ranked && !options.takes_ranks)
    throw DataError({options.path, {}, "counts or logarithms", "a token store, which keeps ranks"},
                    "the model takes expression", "name the data that the tokens were made of");
  cells_ = source_->cells();
  genes_ = match_genes(model.genes, own.genes);
  require_overlap(genes_, options.min_overlap, options.path, model.genes, own.genes);
  for (const data::Field& field : model.fields)
    fields_.push_back({column_of(field.name, renames), {}});
  match_labels(model, own);
  for (std::size_t f = 0; f < fields_.size(); ++f) fields_[f].name = model.fields[f].name;
  names_ = data::named_cells(*source_);
  for (const std::string& names : options.watched)
    watched_column_.push_back(column_named(names, own.genes));
  log::info("{}: {} cells, {}", options.path, cells_, genes_.text());
}

void Input::match_labels(const data::Vocabulary& model, const data::Vocabulary& input) {
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    const auto column =
        std::find_if(input.fields.begin(), input.fields.end(),
                     [&](const data::Field& field) { return field.name == fields_[f].name; });
    label_column_.push_back(column == input.fields.end() ? -1 : column - input.fields.begin());
    if (column != input.fields.end()) fields_[f].categories = column->categories;
    const auto& known = model.fields[f].categories;
    std::vector<std::int32_t> codes;
    for (const std::string& category : fields_[f].categories) {
      const auto it = std::find(known.begin(), known.end(), category);
      codes.push_back(it == known.end() ? data::kMissing
                                        : static_cast<std::int32_t>(it - known.begin()));
    }
    seen_.emplace_back(codes.size(), 0);
    code_.push_back(std::move(codes));
    if (label_column_.back() < 0 && options_.needs_labels)
      log::warn("{}: no labels for the field '{}': missing for all cells", options_.path,
                fields_[f].name);
  }
}

std::optional<Cells> Input::next() {
  while (next_row_ >= chunk_.rows) {
    if (next_chunk_ == static_cast<std::int64_t>(source_->index().size())) return {};
    load_chunk(next_chunk_++);
  }
  const std::int64_t begin = next_row_;
  next_row_ = std::min(chunk_.rows, begin + options_.batch_cells);
  return slice(begin, next_row_);
}

void Input::load_chunk(std::int64_t id) {
  first_cell_ = source_->index()[id].first_cell;
  const data::Chunk loaded = source_->load(id);
  watch(loaded);
  if (id == 0 && !options_.raw_counts && !options_.takes_counts && looks_like_counts(loaded))
    log::warn("{}: the values look like counts, not like log1p of counts per 10,000: --raw-counts?",
              options_.path);
  chunk_ = with_columns(loaded, genes_.column, model_genes_);
  next_row_ = 0;
}

void Input::watch(const data::Chunk& loaded) {
  const std::size_t wanted = watched_column_.size();
  if (wanted == 0) return;
  watched_.assign(static_cast<std::size_t>(loaded.rows) * wanted, 0);
  for (std::int64_t i = 0; i < loaded.rows; ++i) {
    double total = 0;
    for (auto k = loaded.indptr[i]; k < loaded.indptr[i + 1]; ++k) total += loaded.values[k];
    for (std::size_t w = 0; w < wanted; ++w) {
      double& value = watched_[i * wanted + w];
      const auto begin = loaded.indices.begin() + loaded.indptr[i];
      const auto end = loaded.indices.begin() + loaded.indptr[i + 1];
      const auto at = std::lower_bound(begin, end, watched_column_[w]);
      if (watched_column_[w] < 0)
        value = std::numeric_limits<double>::quiet_NaN();
      else if (at != end && *at == watched_column_[w])
        value = 1e6 * loaded.values[at - loaded.indices.begin()] / total;
    }
  }
}

Cells Input::slice(std::int64_t begin, std::int64_t end) {
  const std::int64_t rows = end - begin, from = chunk_.indptr[begin], to = chunk_.indptr[end];
  Cells cells;
  data::Batch& b = cells.batch;
  b.indptr = at::empty({rows + 1}, at::kLong);
  for (std::int64_t i = 0; i <= rows; ++i)
    b.indptr.mutable_data_ptr<std::int64_t>()[i] = chunk_.indptr[begin + i] - from;
  b.indices = at::empty({to - from}, at::kLong);
  std::copy(chunk_.indices.begin() + from, chunk_.indices.begin() + to,
            b.indices.mutable_data_ptr<std::int64_t>());
  b.values = at::empty({to - from}, at::kFloat);
  std::copy(chunk_.values.begin() + from, chunk_.values.begin() + to,
            b.values.mutable_data_ptr<float>());
  b.cells = at::arange(first_cell_ + begin, first_cell_ + end, at::kLong);
  b.genes = model_genes_;
  b.global_cells = rows;

  const auto wanted = static_cast<std::int64_t>(watched_column_.size());
  cells.watched.assign(watched_.begin() + begin * wanted, watched_.begin() + end * wanted);
  const std::size_t fields = fields_.size();
  b.labels = at::full({rows, static_cast<std::int64_t>(fields)}, data::kMissing, at::kLong);
  auto* labels = b.labels.mutable_data_ptr<std::int64_t>();
  cells.own.assign(static_cast<std::size_t>(rows) * fields, data::kMissing);
  const std::size_t width = source_->vocabulary().fields.size();
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::size_t f = 0; f < fields; ++f) {
      if (label_column_[f] < 0) continue;
      const std::int32_t own = chunk_.labels[(begin + i) * width + label_column_[f]];
      if (own < 0) continue;
      ++seen_[f][own];
      cells.own[i * fields + f] = own;
      labels[i * fields + f] = code_[f][own];
    }
  return cells;
}

std::vector<std::string> Input::label_notes() const {
  std::vector<std::string> notes;
  for (std::size_t f = 0; f < fields_.size(); ++f) {
    std::int64_t cells = 0;
    std::vector<std::string> names;
    for (std::size_t c = 0; c < code_[f].size(); ++c)
      if (code_[f][c] < 0 && seen_[f][c] > 0) {
        cells += seen_[f][c];
        names.push_back(fmt::format("'{}' ({})", fields_[f].categories[c], seen_[f][c]));
      }
    if (names.empty()) continue;
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < 10; ++i) text += (i ? ", " : "") + names[i];
    notes.push_back(
        fmt::format("{}: {} cells have {} that the model does not know, taken as missing: {}{}",
                    fields_[f].name, cells, names.size() == 1 ? "a category" : "categories", text,
                    names.size() > 10 ? ", ..." : ""));
  }
  return notes;
}

bool looks_like_counts(const data::Chunk& chunk) {
  const auto whole = [](float x) { return x == std::floor(x); };
  return std::all_of(chunk.values.begin(), chunk.values.end(), whole) &&
         std::any_of(chunk.values.begin(), chunk.values.end(), [](float x) { return x > 9.3f; });
}

data::Chunk with_columns(const data::Chunk& chunk, const std::vector<std::int32_t>& column,
                         std::int64_t genes) {
  data::Chunk out;
  out.id = chunk.id;
  out.rows = chunk.rows;
  out.genes = genes;
  out.labels = chunk.labels;
  out.indptr.push_back(0);
  std::vector<std::pair<std::int32_t, float>> row;
  for (std::int64_t i = 0; i < chunk.rows; ++i) {
    row.clear();
    for (std::int64_t j = chunk.indptr[i]; j < chunk.indptr[i + 1]; ++j)
      if (const std::int32_t to = column[chunk.indices[j]]; to >= 0)
        row.emplace_back(to, chunk.values[j]);
    std::sort(row.begin(), row.end());
    for (const auto& [to, value] : row) {
      out.indices.push_back(to);
      out.values.push_back(value);
    }
    out.indptr.push_back(static_cast<std::int64_t>(out.indices.size()));
  }
  return out;
}

}  // namespace cellmill::infer
