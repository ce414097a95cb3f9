#pragma once
// Self-attention over sequences that lie one after another without padding: every token sees its
// own sequence alone. softmax(Q K' / sqrt(D)) V by head.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cellmill::nn {

/// Sequence i is rows [offsets[i], offsets[i+1]) of the packed tensors.
using Offsets = std::vector<std::int64_t>;

/// `qkv` [T, 3 * heads * D]: queries, keys and values, each [heads, D]. Returns [T, heads * D].
/// With gradients if `qkv` has them: LibTorch's fused kernels, a call a sequence or, on CUDA, one
/// for all; `dropout` of the probabilities needs them. Without: our own kernels where the CPU has
/// AVX-512, float32 and bfloat16. InternalError if shapes, offsets or the type do not fit.
at::Tensor packed_attention(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads,
                            double dropout = 0);

/// The same by its definition, in any dtype: what the fast ones are compared with.
at::Tensor plain_attention(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads);

}  // namespace cellmill::nn
