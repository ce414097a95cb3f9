#pragma once
// What perturbations do to embeddings. Originals and variants of many cells go through the encoder
// one behind another, without padding, by a budget of tokens; what a block gives depends on the
// plan, the budget and the number of threads alone. Compared, as Geneformer does, are the genes
// that no perturbation touched; states are compared with the whole cell (its special tokens apart).
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "infer/perturbation_plan.h"
#include "models/sequence_encoder.h"

namespace cellmill::infer {

/// The embedding of a cell: the mean of its genes', or its <cls> token's.
enum class CellVector { kMean, kCls };

struct PerturbationRules {
  std::int64_t layer = 0;      ///< place in hidden_states
  std::int64_t budget = 4096;  ///< tokens at a time
  CellVector vector = CellVector::kMean;
  bool special_tokens = false;
  bool every_gene = false;  ///< keep each gene's cosine
};

/// [cells, width] float64 on the host; NaN for a cell without genes.
at::Tensor cell_vectors(models::SequenceEncoder& encoder, const data::Sequences& cells,
                        const PerturbationRules& rules);

/// Of consecutive variants.
struct Scores {
  /// [variants, 2 + states]: cosine of the cell's vector before and after; mean cosine of its
  /// genes' vectors; for each state, cosine with it after less before.
  at::Tensor cells;
  /// `every_gene`: a cosine a gene of the cell, in its order, one variant behind another; NaN for
  /// those that were perturbed or cut. [sum of the genes] float32.
  std::vector<float> genes;
};

/// `states` [states, width] float64 on the host; may have no rows. Variants [begin, end). `note`
/// hears now and then how many are done.
Scores score(models::SequenceEncoder& encoder, const PerturbationQuestion& question,
             const PerturbationPlan& plan, std::int64_t begin, std::int64_t end,
             const at::Tensor& states, const PerturbationRules& rules,
             const std::function<void(std::int64_t done)>& note = {});

}  // namespace cellmill::infer
