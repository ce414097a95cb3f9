#pragma once
// Attention over packed sequences on CUDA by LibTorch's fused kernels, all sequences in one call;
// differentiable, and no scores are kept.
#include "nn/attention.h"

namespace cellmill::nn {

/// Whether there is a kernel for tensors like this one: on CUDA, and no float64.
bool has_device_attention(const at::Tensor& query);

/// query [R, heads, D] in sequences by `query_offsets`, key and value [T, heads, D] by `offsets`.
/// Returns [R, heads * D].
at::Tensor device_attention(const at::Tensor& query, const Offsets& query_offsets,
                            const at::Tensor& key, const at::Tensor& value, const Offsets& offsets);

}  // namespace cellmill::nn
