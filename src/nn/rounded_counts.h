#pragma once
// A decoder's output as whole counts of a sample.
#include <ATen/core/Tensor.h>

namespace cellmill::nn {

enum class Decoded { kLog1p, kLogits };  ///< log1p of rates; logits over genes

/// [B, genes] int32 on the host: the rates of each row, scaled so that they sum to `totals` [B],
/// rounded. Float32: 1e-7 of a count.
at::Tensor rounded_counts(const at::Tensor& decoded, Decoded form, const at::Tensor& totals);

}  // namespace cellmill::nn
