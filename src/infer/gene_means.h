#pragma once
// The mean vector of every gene over the cells that express it. Sums are whole numbers (of 2^-28),
// so that neither the order of the cells nor the number of ranks that share them changes a bit.
#include <ATen/core/Tensor.h>

#include "data/gene_dictionary.h"
#include "data/sequences.h"

namespace cellmill::infer {

class GeneMeans {
 public:
  /// `width` of the hidden states, which lie on `device`.
  GeneMeans(const data::GeneDictionary& dictionary, std::int64_t width, c10::Device device);

  /// `hidden` [T, width] float32 of the tokens of `cells`. Throws InternalError for a value that is
  /// not finite, or so large that sums would overflow.
  void add(const at::Tensor& hidden, const data::Sequences& cells);

  /// int64 on the device, to be added over ranks in place: [tokens, width] and [tokens].
  at::Tensor& sums() { return sums_; }
  at::Tensor& cells() { return cells_; }

  /// The tokens of the genes that a cell had, rising: int64 [genes] on the host.
  at::Tensor found() const;
  /// [genes, width] float32 on the host, in the order of `found`.
  at::Tensor means() const;

 private:
  at::Tensor is_gene_, sums_, cells_;
};

}  // namespace cellmill::infer
