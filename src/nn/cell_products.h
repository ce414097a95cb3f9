#pragma once
// The products over genes of a step that holds its generated cells in memory, [B, G] each, with the
// weights of all heads side by side: one matrix product where each head alone takes one, and no
// sums of [B, G]. Beside nn/gene_products.h, which holds no such matrix.
//   X E^T      X' = U D^T      X' E^T      |X - U D^T|^2
// On the host, but for reduced precision, X stays sparse.
#include <vector>

#include "nn/gene_products.h"

namespace cellmill::nn {

class CellProducts {
 public:
  /// `decoding` make D [G, K]. `encoding` are [n, G] each; those of `judging`, too, but generated
  /// cells give them no gradient. The tables must live until backward is done.
  CellProducts(const Csr& x, const std::vector<GeneWeight>& decoding,
               const std::vector<GeneWeight>& encoding, const std::vector<GeneWeight>& judging,
               GeneTables& tables);

  /// X times every encoding, then every judging weight, [B, n] each.
  std::vector<at::Tensor> expression() const;
  /// Coefficients [B, K] -> cells [B, G].
  at::Tensor generate(const at::Tensor& coefficients) const;
  /// The same products of generated cells [B, G].
  std::vector<at::Tensor> encode(const at::Tensor& cells) const;
  /// Sum of (X - U D^T)^2 for coefficients U.
  at::Tensor squared_error(const at::Tensor& coefficients) const;

 private:
  at::Tensor padded(const at::Tensor& coefficients) const;

  Csr x_;
  std::vector<GeneWeight> encoding_, judging_;
  GeneTables& tables_;
  at::Tensor decoder_, encoder_;  ///< side by side, the decoder to a whole multiple of columns
  at::Tensor dense_;              ///< X, where it does not stay sparse
};

}  // namespace cellmill::nn
