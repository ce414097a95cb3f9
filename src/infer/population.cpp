#include "infer/population.h"

#include <ATen/ATen.h>

namespace cellmill::infer {
namespace {

void make_room(Population& p, std::int64_t genes) {
  if (p.sum.defined()) return;
  p.sum = at::zeros({genes}, at::kDouble);
  p.square = at::zeros({genes}, at::kDouble);
}

}  // namespace

at::Tensor Population::mean() const { return sum / cells; }

at::Tensor Population::variance() const {
  return ((square - sum * sum / cells) / (cells - 1)).clamp_min(0);
}

void Population::add(const Population& other) {
  if (other.cells == 0) return;
  make_room(*this, other.sum.size(0));
  cells += other.cells;
  sum += other.sum;
  square += other.square;
}

void add_cell(Population& population, const data::Batch& batch, std::int64_t row) {
  make_room(population, batch.genes);
  const auto* indptr = batch.indptr.const_data_ptr<std::int64_t>();
  const auto* indices = batch.indices.const_data_ptr<std::int64_t>();
  const auto* values = batch.values.const_data_ptr<float>();
  auto* sum = population.sum.mutable_data_ptr<double>();
  auto* square = population.square.mutable_data_ptr<double>();
  for (std::int64_t i = indptr[row]; i < indptr[row + 1]; ++i) {
    const double x = values[i];
    sum[indices[i]] += x;
    square[indices[i]] += x * x;
  }
  population.cells += 1;
}

void add_cells(Population& population, const at::Tensor& dense) {
  if (dense.size(0) == 0) return;
  make_room(population, dense.size(1));
  const at::Tensor x = dense.to(at::kDouble);
  population.cells += static_cast<double>(x.size(0));
  population.sum += x.sum(0);
  population.square += (x * x).sum(0);
}

Population pooled(const std::vector<const Population*>& parts) {
  Population all;
  for (const Population* part : parts) all.add(*part);
  return all;
}

}  // namespace cellmill::infer
