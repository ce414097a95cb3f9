#include "data/sources/h5ad_source.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "data/label_codes.h"
#include "data/metadata_command.h"
#include "data/sources/h5ad_obs.h"

namespace cellmill::data {
namespace {

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

H5adSource::H5adSource(const SourceOptions& options)
    : file_(io::H5File::open(options.path)), expression_(options.raw_counts) {
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
    entries_ = file_.shape(matrix_ + "/indices").at(0);
    const auto pointers = file_.shape(matrix_ + "/indptr").at(0);
    if (shape.size() == 2 && pointers != shape[0] + 1)
      throw DataError({options.path, matrix_ + "/indptr", fmt::format("{} entries", shape[0] + 1),
                       fmt::format("{}", pointers)},
                      "another length than the rows ask for");
  } else {
    shape = file_.shape(matrix_);
  }
  if (shape.size() != 2)
    throw DataError(
        {options.path, matrix_, "cells x genes", fmt::format("{} dimensions", shape.size())},
        "not a matrix");
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

void H5adSource::read_csr_rows(std::int64_t begin, std::int64_t end, Chunk& chunk) const {
  chunk.indptr = file_.read_range<std::int64_t>(matrix_ + "/indptr", begin, end + 1);
  const std::int64_t first = chunk.indptr.front(), last = chunk.indptr.back();
  if (first < 0 || last < first || last > entries_)
    throw DataError(
        {file_.path(), fmt::format("{}/indptr, rows {} to {}", matrix_, begin, end),
         fmt::format("rising, within 0 to {}", entries_), fmt::format("{} to {}", first, last)},
        "indptr points outside of the entries");
  chunk.indices = file_.read_range<std::int32_t>(matrix_ + "/indices", first, last);
  chunk.values = file_.read_range<float>(matrix_ + "/data", first, last);
  for (std::int64_t& pointer : chunk.indptr) pointer -= first;
}

void H5adSource::read_dense_rows(std::int64_t begin, std::int64_t end, Chunk& chunk) const {
  const auto values = file_.read_range<float>(matrix_, begin, end);
  chunk.indptr = {0};
  for (std::int64_t row = 0; row < end - begin; ++row) {
    for (std::int64_t column = 0; column < chunk.genes; ++column)
      if (const float value = values[row * chunk.genes + column]; value != 0) {
        chunk.indices.push_back(static_cast<std::int32_t>(column));
        chunk.values.push_back(value);
      }
    chunk.indptr.push_back(static_cast<std::int64_t>(chunk.values.size()));
  }
}

Chunk H5adSource::load(std::int64_t id) const {
  const ChunkInfo& info = index_.at(id);
  const std::int64_t begin = info.first_cell, end = begin + info.rows;
  Chunk chunk{
      .id = id, .rows = info.rows, .genes = static_cast<std::int64_t>(vocabulary_.genes.size())};
  if (sparse_)
    read_csr_rows(begin, end, chunk);
  else
    read_dense_rows(begin, end, chunk);
  expression_.prepare(chunk, file_.path() + ": " + matrix_, begin);
  chunk.labels.reserve(info.rows * codes_.size());
  for (std::int64_t cell = begin; cell < end; ++cell)
    for (const auto& codes : codes_) chunk.labels.push_back(codes[cell]);
  return chunk;
}

}  // namespace cellmill::data
