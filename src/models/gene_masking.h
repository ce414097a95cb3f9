#pragma once
// Which genes of cells are to be predicted, and what is shown in their place: a function of (seed,
// epoch, cell, rank of the gene), so that it does not depend on batches, ranks or restarts.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "data/gene_dictionary.h"
#include "data/sequences.h"
#include "models/rank_encoder_options.h"

namespace cellmill::models {

struct MaskedCells {
  data::Sequences shown;
  std::vector<std::int64_t> places;   ///< of the genes to be predicted in shown.tokens, rising
  std::vector<std::int64_t> targets;  ///< their tokens
  std::vector<std::int64_t> keys;     ///< one a token: of its other draws (nn/keyed_dropout.h)
};

class GeneMasking {
 public:
  GeneMasking(const RankMaskOptions& options, const data::GeneDictionary& dictionary);
  /// `cells` [B] int64 on the host. Special tokens are never masked; a random gene is any gene of
  /// the dictionary.
  MaskedCells operator()(data::Sequences sequences, const at::Tensor& cells, std::uint64_t seed,
                         std::int64_t epoch) const;

 private:
  RankMaskOptions options_;
  std::int32_t mask_;
  std::vector<std::int32_t> genes_;
  std::vector<bool> is_gene_;
};

}  // namespace cellmill::models
