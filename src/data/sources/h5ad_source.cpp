#include "data/sources/h5ad_source.h"

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "data/label_codes.h"
#include "data/metadata_command.h"
#include "data/sources/h5ad_obs.h"

namespace cellmill::data {
namespace {

constexpr std::int64_t kMostRows = std::int64_t{1} << 32,
                       kMostColumns = (std::int64_t{1} << 31) - 1;

std::string place_of(const std::string& layer) {
  if (layer.empty() || layer == "X") return "/X";
  return layer == "raw" ? "/raw/X" : "/layers/" + layer;
}

std::string to_csr(const std::string& layer) {
  if (layer.empty() || layer == "X") return "a.X = a.X.tocsr(); ";
  if (layer == "raw") return "a = a.raw.to_adata(); a.X = a.X.tocsr(); ";
  return fmt::format("a.layers['{0}'] = a.layers['{0}'].tocsr(); ", layer);
}

std::string attribute(const io::H5File& file, const std::string& object, const std::string& name) {
  return file.has_attribute(object, name) ? file.string_attribute(object, name) : "";
}

/// "csr_matrix", "csc_matrix" or what the file says instead; the old name was h5sparse_format.
std::string encoding_of(const io::H5File& file, const std::string& matrix) {
  const std::string old = attribute(file, matrix, "h5sparse_format");
  return old.empty() ? attribute(file, matrix, "encoding-type") : old + "_matrix";
}

}  // namespace

H5adSource::H5adSource(const SourceOptions& options, std::shared_ptr<Faults> faults)
    : file_(io::H5File::open(options.path)),
      expression_(options.raw_counts, std::move(faults), options.takes_counts) {
  const auto [cells, columns] = open_matrix(options);
  const std::string var = options.layer == "raw" ? "/raw/var" : "/var";
  vocabulary_.genes = read_index(file_, var);
  if (static_cast<std::int64_t>(vocabulary_.genes.size()) != columns)
    throw DataError(
        {options.path, var, fmt::format("{} names, as {} has columns", columns, matrix_),
         fmt::format("{}", vocabulary_.genes.size())},
        "columns and gene names differ in number");
  if (!without_metadata(options)) read_labels(options, cells);
  for (std::int64_t first = 0; first < cells; first += options.chunk_cells) {
    const auto rows = std::min(options.chunk_cells, cells - first);
    index_.push_back({static_cast<std::int64_t>(index_.size()), rows, first,
                      fmt::format("{}: rows {} to {}", options.path, first, first + rows - 1)});
  }
}

std::pair<std::int64_t, std::int64_t> H5adSource::open_matrix(const SourceOptions& options) {
  matrix_ = place_of(options.layer);
  if (!file_.exists(matrix_)) {
    std::vector<std::string> layers;
    if (file_.exists("/X")) layers.push_back("X");
    if (file_.exists("/raw/X")) layers.push_back("raw");
    if (file_.exists("/layers"))
      for (const std::string& name : file_.children("/layers")) layers.push_back(name);
    throw DataError({options.path, matrix_, {}, {}}, "no such matrix",
                    did_you_mean(options.layer, layers));
  }
  sparse_ = file_.is_group(matrix_);
  std::vector<std::int64_t> shape;
  if (sparse_) {
    const std::string encoding = encoding_of(file_, matrix_);
    if (encoding != "csr_matrix")
      throw DataError(
          {options.path, matrix_, "csr_matrix or a dense array",
           encoding.empty() ? "no encoding-type" : encoding},
          "rows of this matrix cannot be read alone",
          encoding == "csc_matrix" ? rewrite_hint(options.path, to_csr(options.layer)) : "");
    shape = file_.ints_attribute(
        matrix_, file_.has_attribute(matrix_, "shape") ? "shape" : "h5sparse_shape");
    entries_ = io::length_of(file_, matrix_ + "/indices");
    const auto pointers = io::length_of(file_, matrix_ + "/indptr");
    if (shape.size() == 2 && pointers - 1 != shape[0])
      throw DataError({options.path, matrix_ + "/indptr",
                       fmt::format("one more than {} rows", shape[0]), fmt::format("{}", pointers)},
                      "another length than the rows ask for");
    indptr_ = file_.read<std::int64_t>(matrix_ + "/indptr");
    if (const auto fall = std::adjacent_find(indptr_.begin(), indptr_.end(), std::greater<>());
        fall != indptr_.end())
      throw DataError({options.path + ": " + matrix_, fmt::format("row {}", fall - indptr_.begin()),
                       fmt::format("at least {}", fall[0]), fmt::format("{}", fall[1])},
                      "indptr falls");
    indices_.emplace(file_, matrix_ + "/indices");
    values_.emplace(file_, matrix_ + "/data");
    if (values_->size() != entries_)
      throw DataError({options.path, matrix_ + "/data",
                       fmt::format("{} values, as {}/indices has", entries_, matrix_),
                       fmt::format("{}", values_->size())},
                      "another length than the columns");
  } else {
    shape = file_.shape(matrix_);
  }
  if (shape.size() != 2)
    throw DataError(
        {options.path, matrix_, "cells x genes", fmt::format("{} dimensions", shape.size())},
        "not a matrix");
  if (shape[0] < 0 || shape[0] > kMostRows || shape[1] < 0 || shape[1] > kMostColumns)
    throw DataError({options.path, matrix_,
                     fmt::format("0 to {} cells, 0 to {} genes", kMostRows, kMostColumns),
                     fmt::format("{}", fmt::join(shape, " x "))},
                    "not the shape of a matrix");
  if (!sparse_) entries_ = shape[0] * shape[1];
  return {shape[0], shape[1]};
}

void H5adSource::read_labels(const SourceOptions& options, std::int64_t cells) {
  if (options.fields.empty())
    throw DataError(
        {options.path, "/obs", {}, {}}, "no conditioning fields named",
        fmt::format("set `fields` to some of: {}", fmt::join(categorical_columns(file_), ", ")));
  std::map<std::string, Field> vocabulary;
  const std::string vocabulary_path = options.metadata + "/metadata_vocab.json";
  if (!options.metadata.empty()) vocabulary = read_metadata_vocabulary(vocabulary_path);
  for (const std::string& name : options.fields) {
    ObsColumn column = read_obs_column(file_, name);
    if (column.field.categories.empty() && options.known_genes.empty())
      throw DataError({options.path, "/obs/" + name, "at least one category", "none"},
                      "all values are missing");
    if (static_cast<std::int64_t>(column.codes.size()) != cells)
      throw DataError(
          {options.path, "/obs/" + name, fmt::format("{} rows, as {} has", cells, matrix_),
           fmt::format("{}", column.codes.size())},
          "labels and expression differ in length");
    if (!options.metadata.empty()) {
      const Field& field = find_field(vocabulary, name, vocabulary_path);
      column = {field, recode(column, field, options.path)};
    }
    vocabulary_.fields.push_back(std::move(column.field));
    codes_.push_back(std::move(column.codes));
  }
}

std::vector<std::string> H5adSource::cell_names() const { return read_index(file_, "/obs"); }

std::int64_t H5adSource::append_csr(std::int64_t begin, std::int64_t end, Chunk& rows) const {
  const std::int64_t first = indptr_[begin], last = indptr_[end], held = rows.entries();
  if (first < 0 || last < first || last > entries_)
    throw DataError(
        {file_.path(), fmt::format("{}/indptr, rows {} to {}", matrix_, begin, end),
         fmt::format("rising, within 0 to {}", entries_), fmt::format("{} to {}", first, last)},
        "indptr points outside of the entries");
  for (std::int64_t row = begin; row < end; ++row)
    rows.indptr.push_back(held + indptr_[row + 1] - first);
  return indices_->append(first, last, rows.indices) + values_->append(first, last, rows.values);
}

std::int64_t H5adSource::append_dense(std::int64_t begin, std::int64_t end, Chunk& rows) const {
  const auto values = file_.read_range<float>(matrix_, begin, end);
  for (std::int64_t row = 0; row < end - begin; ++row) {
    for (std::int64_t column = 0; column < rows.genes; ++column)
      if (const float value = values[row * rows.genes + column]; value != 0) {
        rows.indices.push_back(static_cast<std::int32_t>(column));
        rows.values.push_back(value);
      }
    rows.indptr.push_back(static_cast<std::int64_t>(rows.values.size()));
  }
  return static_cast<std::int64_t>(values.size() * sizeof(float));
}

std::int64_t H5adSource::append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                                Chunk& rows) const {
  const std::int64_t from = rows.rows, first = chunk.first_cell + begin,
                     last = chunk.first_cell + end;
  const std::int64_t bytes =
      sparse_ ? append_csr(first, last, rows) : append_dense(first, last, rows);
  rows.rows += end - begin;
  expression_.prepare(rows, file_.path() + ": " + matrix_, first, from);
  for (std::int64_t cell = first; cell < last; ++cell)
    for (const auto& codes : codes_) rows.labels.push_back(codes[cell]);
  return bytes;
}

void H5adSource::expect(std::int64_t chunk, std::int64_t begin, std::int64_t end) const {
  if (!sparse_) return;
  const std::int64_t first = indptr_[index_[chunk].first_cell + begin],
                     last = indptr_[index_[chunk].first_cell + end];
  if (first < 0 || last < first || last > entries_) return;
  indices_->expect(first, last);
  values_->expect(first, last);
}

}  // namespace cellmill::data
