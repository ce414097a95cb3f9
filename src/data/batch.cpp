#include "data/batch.h"

#include <ATen/ATen.h>

namespace cellmill::data {

Batch cells_of(const Batch& batch, std::int64_t begin, std::int64_t end) {
  const auto first = batch.indptr[begin].item<std::int64_t>();
  const auto last = batch.indptr[end].item<std::int64_t>();
  Batch part = batch;
  part.indptr = batch.indptr.slice(0, begin, end + 1) - first;
  part.indices = batch.indices.slice(0, first, last).clone();
  part.values = batch.values.slice(0, first, last).clone();
  part.labels = batch.labels.slice(0, begin, end).clone();
  part.cells = batch.cells.slice(0, begin, end).clone();
  part.micro_shards.clear();
  return part;
}

}  // namespace cellmill::data
