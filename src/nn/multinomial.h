#pragma once
// The multinomial likelihood of sparse counts under dense logits, in one pass over these: on a host
// rows are taken in blocks that fit a core's cache, and no other cells x genes matrix is made than
// the gradient. Elsewhere LibTorch's dense operations.
#include <ATen/core/Tensor.h>

#include "nn/sparse.h"

namespace cellmill::nn {

/// [B]: the negative logarithm, summed over genes, of counts [B, G] under softmax(logits [B, G]),
/// without the coefficient, which no parameter moves. Differentiable in the logits, once.
at::Tensor multinomial_nll(const Csr& counts, const at::Tensor& logits);

}  // namespace cellmill::nn
