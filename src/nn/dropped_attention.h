#pragma once
// Packed attention (nn/attention.h) as it is trained: probabilities are dropped by keys.
#include "nn/attention.h"

namespace cellmill::nn {

struct AttentionDropout {
  at::Tensor keys;  ///< [T] int64, host: of the tokens that ask
  std::int64_t place = 0;
  double rate = 0;
};

/// softmax(Q K' / sqrt(D)) times keep masks, times V, by head. Differentiable.
at::Tensor dropped_attention(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads,
                             const AttentionDropout& dropout);

}  // namespace cellmill::nn
