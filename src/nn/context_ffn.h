#pragma once
// A pool of small feed-forward networks, one per context (category of a metadata field), stored
// stacked. Rows of a batch are grouped by context and each group runs through its own network, so
// that the cost follows the batch and not the size of the pool.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cellmill::nn {

enum class FfnKind {
  kMlp,         ///< relu(x W1 + b1) W2 + b2
  kLinearRelu,  ///< relu(x W1 + b1)
  kLinear       ///< x W1 + b1
};

/// Weights of all contexts: weight [C, out, in], bias [C, out] or undefined. Layer 2 exists for
/// kMlp alone.
struct FfnPool {
  FfnKind kind = FfnKind::kMlp;
  at::Tensor weight1, bias1, weight2, bias2;
};

/// Which networks a row of the batch goes through: entry k adds
/// coefficient[k] * FFN_context[k](x[row[k]]) to row[k] of the result. Sorted by context. A plain
/// category is one entry with coefficient 1; a missing label has none.
struct Routing {
  at::Tensor row;                     ///< [n] int64
  at::Tensor coefficient;             ///< [n] float64, or undefined for all 1
  std::vector<std::int64_t> context;  ///< of each segment
  std::vector<std::int64_t> begin;    ///< first entry of each segment, and one past the end
  std::int64_t rows = 0;              ///< of the batch
};

/// One entry a row with a known context. `contexts` [B] int64, -1 = none.
Routing route_plain(const at::Tensor& contexts);

/// Sets of elements relative to a control: u = FFN_control(x) + sum over the set of (FFN_c(x) -
/// FFN_control(x)). `elements[k]` lists the elements, without control, of category k; `contexts`
/// [B] holds categories, -1 = none.
Routing route_sets(const at::Tensor& contexts,
                   const std::vector<std::vector<std::int64_t>>& elements, std::int64_t control);

/// x [B, L] -> [B, L]; rows without an entry are zero. Differentiable in x and in the pool;
/// contexts without an entry get a zero gradient.
at::Tensor context_ffn(const at::Tensor& x, const FfnPool& pool, const Routing& routing);

}  // namespace cellmill::nn
