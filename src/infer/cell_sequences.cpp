#include "infer/cell_sequences.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/nearest.h"
#include "data/expression.h"
#include "data/sources/h5ad_obs.h"
#include "io/hdf5.h"

namespace cellmill::infer {
namespace {

std::vector<std::string> fields_of_h5ad(const CellsOptions& options) {
  if (!std::filesystem::exists(options.path)) return {};
  const auto there = data::categorical_columns(io::H5File::open(options.path));
  for (const std::string& column : options.columns)
    if (std::find(there.begin(), there.end(), column) == there.end())
      throw DataError({options.path, "/obs", "a column '" + column + "' of categories", {}},
                      "no such column", did_you_mean(column, there));
  return options.columns.empty() ? there : options.columns;
}

data::SourceOptions source_options(const CellsOptions& options,
                                   const data::GeneDictionary& dictionary) {
  data::SourceOptions source;
  source.path = options.path;
  source.metadata = options.metadata;
  source.genes = options.genes;
  source.layer = options.layer;
  source.orientation = options.orientation;
  source.takes_counts = source.labels_optional = true;
  source.fields = options.columns;
  source.known_genes = dictionary.tokens;
  for (const auto& [name, gene] : dictionary.names) source.known_genes.push_back(name);
  if (data::is_h5ad(options.path)) source.fields = fields_of_h5ad(options);
  return source;
}

std::vector<std::string> gene_names(const CellsOptions& options, const data::ChunkSource& source) {
  if (options.gene_column.empty()) return source.vocabulary().genes;
  if (!data::is_h5ad(options.path))
    throw UsageError("--gene-column is a column of an .h5ad, and " + options.path + " is none");
  return data::read_column(io::H5File::open(options.path),
                           options.layer == "raw" ? "/raw/var" : "/var", options.gene_column);
}

void check_genes(const std::vector<std::string>& genes, const std::string& path) {
  for (std::size_t i = 0; i < genes.size(); ++i)
    if (genes[i].empty() || genes[i] == "nan" || genes[i] == "<NA>")
      throw DataError({path, fmt::format("gene {}", i), "an Ensembl id or a symbol",
                       genes[i].empty() ? "nothing" : genes[i]},
                      "a gene has no name", "leave such columns away");
}

}  // namespace

CellSequences::CellSequences(const CellsOptions& options, const data::GeneDictionary& dictionary,
                             data::RankOptions ranks)
    : options_(options), source_(data::open_source(source_options(options, dictionary))) {
  genes_ = gene_names(options, *source_);
  check_genes(genes_, options.path);
  cells_ = source_->cells();
  names_ = data::named_cells(*source_);
  try {
    tokenizer_ = std::make_unique<data::RankTokenizer>(genes_, dictionary, ranks, ranked());
  } catch (const DataError& error) {
    throw Error(error.code(), options.path + ": " + error.what(),
                error.hint() + (data::is_h5ad(options.path) && options.gene_column.empty()
                                    ? "; --gene-column names a column of var that holds ids"
                                    : ""));
  }
  const auto& match = tokenizer_->match();
  log::info("{}: {} cells; {} of {} genes are in the dictionary{}", options.path, cells_,
            match.found, match.columns,
            match.summed > 0 ? fmt::format(", {} of them summed", match.summed) : "");
}

const data::Chunk& CellSequences::rows(std::int64_t chunk, std::int64_t begin, std::int64_t end) {
  if (source_->reads_rows()) {
    chunk_.clear();
    source_->read(chunk, begin, end, chunk_);
  } else if (kept_ != chunk) {
    kept_ = -1;
    chunk_ = source_->load(chunk);
    kept_ = chunk;
  }
  return chunk_;
}

CellSequences::Part CellSequences::read(std::int64_t begin, std::int64_t end) {
  Part part;
  const auto fields = static_cast<std::int64_t>(source_->vocabulary().fields.size());
  for (const data::ChunkInfo& info : source_->index()) {
    const std::int64_t from = std::max(begin - info.first_cell, std::int64_t{0});
    const std::int64_t to = std::min(end - info.first_cell, info.rows);
    if (from >= to) continue;
    const data::Chunk& held = rows(info.id, from, to);
    const std::int64_t first = source_->reads_rows() ? 0 : from;  // of the rows held
    if (!ranked() && !options_.fractions)
      data::refuse_fractions(held, options_.path, info.first_cell + from - first, genes_);
    tokenizer_->append(held.indptr.data() + first, held.indices.data(), held.values.data(),
                       to - from, part.sequences, options_.threads);
    part.labels.insert(part.labels.end(), held.labels.begin() + first * fields,
                       held.labels.begin() + (first + to - from) * fields);
  }
  return part;
}

}  // namespace cellmill::infer
