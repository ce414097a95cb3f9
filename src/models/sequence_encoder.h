#pragma once
// What a model that reads cells as sequences of gene tokens can be asked: the hidden states of its
// layers, without padding. Layers are counted as Hugging Face's `hidden_states`: 0 is the
// embeddings, `layers()` the last layer's output.
#include <ATen/core/Tensor.h>

#include <cstdint>

#include "data/gene_dictionary.h"
#include "data/rank_tokenizer.h"
#include "data/sequences.h"

namespace cellmill::models {

class SequenceEncoder {
 public:
  virtual ~SequenceEncoder() = default;
  virtual const data::GeneDictionary& dictionary() const = 0;
  virtual data::RankOptions rank_options() const = 0;
  virtual std::int64_t layers() const = 0;
  virtual std::int64_t width() const = 0;

  /// From here on no parameter changes, and products are computed in this precision (float32 or
  /// bfloat16; residual sums and layer norms stay float32). Without gradients; one thread at a
  /// time.
  virtual void freeze(at::ScalarType precision) = 0;
  /// hidden_states[layer] of every token, [T, width] float32 in the order of `sequences.tokens`, on
  /// the model's device; layers above are not run. The memory is the model's, until the next call.
  virtual at::Tensor encode(const data::Sequences& sequences, std::int64_t layer) = 0;
  /// The same through padded batches of LibTorch's own operations, as Hugging Face computes it: the
  /// plain twin, and the seed's methods.
  virtual at::Tensor encode_padded(const data::Sequences& sequences, std::int64_t layer,
                                   at::ScalarType precision) = 0;
};

}  // namespace cellmill::models
