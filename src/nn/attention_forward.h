#pragma once
// Attention without gradients on the CPU by a kernel of nn/attention_kernels.h, over all sequences,
// heads and blocks of queries together. The same bits for any number of threads.
#include "nn/attention.h"
#include "nn/attention_kernels.h"

namespace cellmill::nn {

/// The kernel for `qkv`, null if there is none for its type or device or on this processor.
const HeadKernel* kernel_for(const at::Tensor& qkv);
/// As packed_attention, whose checks it leaves out; `qkv` contiguous.
at::Tensor attention_forward(const HeadKernel& kernel, const at::Tensor& qkv,
                             const Offsets& offsets, std::int64_t heads);
/// Into `out`, [T, heads * D] of the same type, contiguous.
void attention_forward_out(const HeadKernel& kernel, const at::Tensor& qkv, const Offsets& offsets,
                           std::int64_t heads, const at::Tensor& out);

}  // namespace cellmill::nn
