#include "infer/ranked_cells.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "data/metadata_command.h"
#include "data/sources/csv_source.h"
#include "data/sources/h5ad_obs.h"
#include "data/sources/mtx_source.h"
#include "data/store/pack_store.h"

namespace cellmill::infer {
namespace {

bool is_h5ad(const std::string& path) { return std::filesystem::path(path).extension() == ".h5ad"; }

data::SourceOptions source_options(const RankedCellsOptions& options,
                                   const data::GeneDictionary& dictionary) {
  data::SourceOptions source;
  source.path = options.path;
  source.genes = options.genes;
  source.layer = options.layer;
  source.orientation = options.orientation;
  source.takes_counts = true;
  source.fields = options.fields;
  for (const std::string& token : dictionary.tokens)
    if (!token.empty()) source.known_genes.push_back(token);
  for (const auto& [name, gene] : dictionary.names) source.known_genes.push_back(name);
  const bool table = data::is_mtx(options.path) || data::is_csv(options.path);
  if (!table && !data::is_pack_store(options.path)) source.metadata = options.metadata;
  if (!table && options.fields.empty()) source.metadata = "none";
  return source;
}

}  // namespace

RankedCells::RankedCells(const RankedCellsOptions& options, const data::GeneDictionary& dictionary,
                         data::RankOptions ranks)
    : path_(options.path), source_(data::open_source(source_options(options, dictionary))) {
  tokenizer_ = std::make_unique<data::RankTokenizer>(columns(), dictionary, ranks);
  const data::RankMatch& match = tokenizer_->match();
  log::info("{}: {} cells, {} of {} genes are in the dictionary", path_, cells(), match.found,
            match.columns);
}

std::vector<std::string> RankedCells::names() const {
  if (is_h5ad(path_)) return data::read_index(io::H5File::open(path_), "/obs");
  std::vector<std::string> names = source_->cell_names();
  if (names.empty())
    for (std::int64_t i = 0; i < cells(); ++i) names.push_back("cell" + std::to_string(i));
  return names;
}

void RankedCells::rank(const data::Chunk& rows, data::Sequences& sequences) const {
  tokenizer_->append(rows.indptr.data(), rows.indices.data(), rows.values.data(), rows.rows,
                     sequences, at::get_num_threads());
}

void RankedCells::visit(const Visitor& use) const {
  for (const data::ChunkInfo& info : source_->index()) {
    const data::Chunk chunk = source_->load(info.id);
    data::Sequences sequences;
    rank(chunk, sequences);
    use(info.first_cell, sequences, chunk.labels);
  }
}

data::Sequences RankedCells::take(std::span<const std::int64_t> cells) const {
  data::Sequences sequences;
  auto cell = cells.begin();
  for (const data::ChunkInfo& info : source_->index()) {
    data::Chunk rows;
    for (; cell != cells.end() && *cell < info.first_cell + info.rows; ++cell)
      source_->read(info.id, *cell - info.first_cell, *cell - info.first_cell + 1, rows);
    if (rows.rows > 0) rank(rows, sequences);
  }
  return sequences;
}

}  // namespace cellmill::infer
