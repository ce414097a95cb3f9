#pragma once
// One rank's share of a minibatch, as it travels to the model: CSR tensors, label codes, and the
// numbers that make losses exact under data parallelism. Losses are sums over `cells` divided by
// `global_cells`, so that summing gradients over ranks gives the whole batch's.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

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
  /// First cell of each micro-shard of this rank, and one past the last; empty where the shard has
  /// none.
  std::vector<std::int64_t> micro_shards = {};
  std::int64_t size() const { return indptr.size(0) - 1; }
};

/// Cells [begin, end), without micro-shards. A copy: what is computed from a batch has the same
/// bits wherever its cells stood.
Batch cells_of(const Batch& batch, std::int64_t begin, std::int64_t end);

}  // namespace cellmill::data
