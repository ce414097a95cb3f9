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
/// With gradients if `qkv` has them: LibTorch's fused kernels, a call for sequences of one length
/// or, on CUDA, one for all. Without: on a CPU with AVX-512 our own, float32 and bfloat16
/// (nn/attention_kernels.h). InternalError if shapes, offsets or the type do not fit.
at::Tensor packed_attention(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads);

/// The same by its definition, in any dtype: what the fast ones are compared with.
at::Tensor plain_attention(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads);

}  // namespace cellmill::nn
