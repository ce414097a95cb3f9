#pragma once
// All cells of a data set embedded by all ranks, and written by rank 0 as they come, in the order
// of the file. Every batch of a window of cells is computed by one rank; results are the same bits
// on any number of ranks of as many threads.
#include <cstdint>
#include <string>

#include "comm/world.h"
#include "infer/cell_sequences.h"
#include "infer/embedding.h"
#include "infer/embedding_file.h"

namespace cellmill::app {

struct EmbeddingRun {
  comm::World& world;
  infer::CellSequences& cells;
  models::SequenceEncoder& encoder;
  infer::EmbeddingOptions options;
  std::string output;
  std::map<std::string, std::string> facts = {};  ///< for the file
  bool per_cell = false;                          ///< kGene: no means, but a vector a cell and gene
};

struct EmbeddingCount {
  std::int64_t rows = 0;           ///< that were written
  std::int64_t without_genes = 0;  ///< cells that have none: their row is NaN
  double seconds = 0;
};

/// Collective. kCell, kCls: a row a cell, with its labels. kGene: a row a gene, the mean over the
/// cells that express it, with their number as obs "n_cells"; or, `per_cell`, a row a gene of a
/// cell:
///   .npz only: "gene" int64 [rows]: place in "gene_names"; cell i is rows "offsets"[i] to [i+1]
EmbeddingCount embed(const EmbeddingRun& run);

}  // namespace cellmill::app
