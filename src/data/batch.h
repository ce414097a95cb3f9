#pragma once
// One rank's share of a minibatch, as it travels to the model: CSR tensors, label codes, and the
// numbers that make losses exact under data parallelism. Losses are sums over `cells` divided by
// `global_cells`, so that summing gradients over ranks gives the whole batch's.
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cellmill::data {

struct Batch {
  at::Tensor indptr;   ///< [B+1] int64
  at::Tensor indices;  ///< [nnz] columns, int32 from a Loader, int64 from others
  at::Tensor values;   ///< [nnz] float32
  at::Tensor labels;   ///< [B, F] int64, -1 = missing
  at::Tensor cells;    ///< [B] int64, number of the cell in the data set (always on the host)
  std::int64_t genes = 0;
  std::int64_t global_cells = 0;  ///< cells of this step over all ranks; B may be 0 on a rank
  std::int64_t epoch = 0;
  std::int64_t step = 0;  ///< of the epoch
  std::int64_t size() const { return indptr.size(0) - 1; }
};

}  // namespace cellmill::data
