#pragma once
// All products of a step that run over genes, for weights of any number of heads at once, so that
// no cells x genes matrix is ever made. Weights stand side by side in one table M [G, N], columns
// in the order given: first `decoding` ones (D, the first K columns), then `encoding` ones.
//   expression = X M            [B, N]   sparse, once a batch
//   gram       = D^T M          [K, N]   once a step, whatever B
//   rows       = R D            [R, K]   dense constants (means of populations), if given
// With coefficients U [B, K] of generated cells X' = U D^T this gives all that a second pass needs:
// X' M = U gram, |X - X'|^2 = |X|^2 - 2 <X D, U> + <U gram_KK, U>. Exact in algebra.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "nn/sparse.h"

namespace cellmill::nn {

/// A weight of M: [n, G], or [G, n] if `by_gene`, or [G] (one column).
struct GeneWeight {
  at::Tensor value;
  bool by_gene = false;
  bool frozen_in_gram = false;  ///< gram's gradient stops here (a classifier that judges, frozen)
};

/// In parts, one a weight in the order given, decoding first.
struct GeneProducts {
  std::vector<at::Tensor> expression;  ///< [B, n] each
  std::vector<at::Tensor> gram;        ///< [K, n] each
  at::Tensor rows;                     ///< [R, K]
};

/// The gram divided over ranks, each of which sums over some of the genes: this one's part, and
/// what adds a tensor over all ranks. Called once forward and once backward.
struct GramShare {
  std::int64_t part = 0, parts = 1;
  std::function<void(at::Tensor&)> sum_over_ranks;
};

/// M and its gradient, kept from step to step, on huge pages.
struct GeneTables {
  at::Tensor weights, gradients;
};

/// Differentiable in the weights, once, before the next call with the same tables. `rows` [R, G]
/// may be undefined, `decoding` empty: then there is no gram.
GeneProducts gene_products(const Csr& x, const std::vector<GeneWeight>& decoding,
                           const std::vector<GeneWeight>& encoding, const at::Tensor& rows,
                           GeneTables& tables, const GramShare& share = {});

}  // namespace cellmill::nn
