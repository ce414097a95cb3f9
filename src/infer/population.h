#pragma once
// A population of cells as moments: how many, and the sum and sum of squares of every gene, in
// float64. Populations add, so that files larger than memory can be compared in one pass.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "data/batch.h"

namespace cellmill::infer {

struct Population {
  double cells = 0;
  at::Tensor sum;     ///< [genes] float64; undefined while there are no cells
  at::Tensor square;  ///< [genes] float64

  at::Tensor mean() const;      ///< [genes]; needs a cell
  at::Tensor variance() const;  ///< [genes], with n - 1; needs two cells
  void add(const Population& other);
};

/// Adds row `row` of a CSR batch on the host to `population`.
void add_cell(Population& population, const data::Batch& batch, std::int64_t row);
/// Adds all rows of a dense [cells, genes] tensor.
void add_cells(Population& population, const at::Tensor& dense);
/// The sum of several populations.
Population pooled(const std::vector<const Population*>& parts);

}  // namespace cellmill::infer
