#pragma once
// A decoder's output as whole counts of a sample.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cellmill::nn {

enum class Decoded { kLog1p, kLogits };  ///< log1p of rates; logits over genes

/// By row of `decoded` [B, genes]: its rates, scaled so that they sum to `totals` [B], rounded.
/// Float32: 1e-7 of a count.
std::vector<std::vector<std::int32_t>> rounded_counts(const at::Tensor& decoded, Decoded form,
                                                      const at::Tensor& totals);

}  // namespace cellmill::nn
