#pragma once
// A perturbation job as a value: which cells, which perturbations of each, and the blocks that the
// work is cut into. A variant is one perturbation of one cell; variants are numbered cell by cell.
// Everything follows from the cells and the question alone, never from ranks or threads.
#include <cstdint>
#include <string>
#include <vector>

#include "data/gene_dictionary.h"
#include "data/sequences.h"
#include "infer/perturbation_moves.h"

namespace cellmill::infer {

struct PerturbationQuestion {
  MoveRules rules;
  std::vector<std::int32_t> genes;  ///< different; empty: all of a cell, each alone
  bool together = false;            ///< `genes` in one move
  /// Each gene alone, this one alone, and both together; in cells that have it. -1: none.
  std::int32_t anchor = -1;
};

/// Genes that are moved together.
using GeneSet = std::vector<std::int32_t>;

struct PerturbationPlan {
  data::Sequences cells;
  std::vector<GeneSet> sets;                 ///< different; the columns of the answer
  std::vector<std::int64_t> variants = {0};  ///< of cell i: [variants[i], variants[i+1])
  std::vector<std::int64_t> blocks = {0};    ///< block i is variants [blocks[i], blocks[i+1])

  std::int64_t size() const { return variants.back(); }
  std::int64_t block_count() const { return static_cast<std::int64_t>(blocks.size()) - 1; }
};

/// Has this cell what the question moves?
bool is_askable(const PerturbationQuestion& question, std::span<const std::int32_t> cell);

/// Places in `sets` of the perturbations of a cell, rising. With all genes overexpressed the
/// highest one is left out, as upstream does: it cannot rise.
std::vector<std::int32_t> perturbations_of(const PerturbationQuestion& question,
                                           const std::vector<GeneSet>& sets,
                                           std::span<const std::int32_t> cell);

/// `tokens` of the dictionary; a block costs about `block_tokens` tokens of a cell without
/// attention, `width` is the model's (attention costs 1 + length / (4 width) times that).
PerturbationPlan make_plan(const PerturbationQuestion& question, data::Sequences cells,
                           std::int64_t width, std::int64_t block_tokens);

/// At most `most` of `places` (0: all), drawn by seed 42, longest cell first, of equal ones the
/// first in the file. `lengths` are the cells' by place.
std::vector<std::int64_t> draw_cells(std::vector<std::int64_t> places,
                                     const std::vector<std::int32_t>& lengths, std::int64_t most);

}  // namespace cellmill::infer
