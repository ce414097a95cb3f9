#pragma once
// A batch of kCells cells, cut into shares of ranks in ways that must not matter.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <string>

#include "data/batch.h"
#include "data/plan.h"
#include "test_world.h"

namespace cellmill {

inline constexpr std::int64_t kCells = 24;

/// Where the share of a rank begins.
using Cut = std::int64_t (*)(std::int64_t rank, std::int64_t size);

inline std::int64_t even(std::int64_t rank, std::int64_t size) { return kCells * rank / size; }
inline std::int64_t uneven(std::int64_t rank, std::int64_t size) {
  return kCells * rank * rank / (size * size);
}
/// Rank 0 has no cell, unless it is alone.
inline std::int64_t first_empty(std::int64_t rank, std::int64_t size) {
  return size == 1 ? kCells * rank : rank < 2 ? 0 : kCells * (rank - 1) / (size - 1);
}
inline std::string name_of(Cut cut) {
  return cut == even ? "even" : cut == uneven ? "uneven" : "an empty share";
}

inline data::Batch share(const data::Batch& batch, Cut cut) {
  const auto& world = test_world();
  return data::cells_of(batch, cut(world.rank, world.size), cut(world.rank + 1, world.size));
}

/// The share that holds whole micro-shards.
inline data::Batch divided(const data::Batch& batch, data::Shard shard) {
  const auto begin = shard.begin(batch.size());
  auto part = data::cells_of(batch, begin, shard.end(batch.size()));
  const auto first = shard.begin(shard.micro_shards), last = shard.end(shard.micro_shards);
  for (auto s = first; s <= last; ++s)
    part.micro_shards.push_back(batch.size() * s / shard.micro_shards - begin);
  return part;
}

/// Sparse cells of step `step`, values not negative, without labels.
inline data::Batch drawn_cells(std::int64_t step, std::int64_t genes, at::Generator& random) {
  const auto dense = at::relu(at::randn({kCells, genes}, random)).contiguous();
  const auto entries = dense.nonzero();
  data::Batch batch;
  batch.indptr = at::zeros({kCells + 1}, at::kLong);
  batch.indptr.slice(0, 1).copy_((dense > 0).sum(1).cumsum(0));
  batch.indices = entries.select(1, 1).contiguous();
  batch.values = dense.index({entries.select(1, 0), entries.select(1, 1)});
  batch.cells = at::arange(step * kCells, (step + 1) * kCells);
  batch.genes = genes;
  batch.global_cells = kCells;
  batch.step = step;
  return batch;
}

inline double distance(const at::Tensor& a, const at::Tensor& b) {
  const auto wide = b.to(at::kDouble);
  return ((a.to(at::kDouble) - wide).norm() / (wide.norm() + 1e-30)).item<double>();
}

}  // namespace cellmill
