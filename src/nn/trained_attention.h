#pragma once
// Attention of some tokens over their sequences, as it is trained: differentiable, and its
// probabilities are dropped by keys (nn/keyed_dropout.h). Sequences lie one after another; of each
// all tokens are attended to, and those that ask may be a part.
#include "nn/attention.h"

namespace cellmill::nn {

struct AttentionDropout {
  at::Tensor keys;  ///< [R] int64, host: of the tokens that ask; not needed at rate 0
  std::int64_t place = 0;
  double rate = 0;
};

/// softmax(Q K' / sqrt(D)) times keep masks, times V, by head. query [R, heads * D] in sequences by
/// `query_offsets`; key_value [T, 2 * heads * D] by `offsets`. Returns [R, heads * D]. Nothing
/// of the size of a score matrix is kept, but on CUDA with dropout: backward computes the scores
/// again.
at::Tensor trained_attention(const at::Tensor& query, const Offsets& query_offsets,
                             const at::Tensor& key_value, const Offsets& offsets,
                             std::int64_t heads, const AttentionDropout& dropout = {});

/// The same by its definition.
at::Tensor plain_trained_attention(const at::Tensor& query, const Offsets& query_offsets,
                                   const at::Tensor& key_value, const Offsets& offsets,
                                   std::int64_t heads, const AttentionDropout& dropout = {});

}  // namespace cellmill::nn
