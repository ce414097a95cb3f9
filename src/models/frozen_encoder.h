#pragma once
// The rank encoder where no parameter changes any more: hidden states alone, without gradients,
// linear layers in float32 or bfloat16. Residual sums and layer norms stay float32. Packed, on a
// CPU with AVX-512, by nn/packed_layers.h; there bfloat16 is computed in float32 if the processor
// does not multiply it itself: that is faster, and exacter than asked for.
#include <optional>
#include <vector>

#include "data/sequences.h"
#include "models/rank_network.h"
#include "nn/packed_layers.h"

namespace cellmill::models {

class FrozenEncoder {
 public:
  FrozenEncoder(const RankNetwork& network, at::ScalarType precision);
  at::ScalarType precision() const { return precision_; }
  /// hidden_states[layer], [T, H] float32 on the parameters' device; its memory is this object's,
  /// until the next call.
  at::Tensor packed(const data::Sequences& sequences, std::int64_t layer);
  /// The same, as one batch that is padded to its longest sequence.
  at::Tensor padded(const data::Sequences& sequences, std::int64_t layer) const;

 private:
  nn::EncoderForm form_;
  at::ScalarType precision_;
  nn::EmbeddingWeights embedding_;
  std::vector<nn::EncoderLayerWeights> layers_;
  std::optional<nn::PackedLayers> packed_;
};

}  // namespace cellmill::models
