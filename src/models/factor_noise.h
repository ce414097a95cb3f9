#pragma once
// All that is random in a step of the factor model, as tensors: given by a golden case, or drawn as
// a function of (seed, epoch, cell, place, column), so that a cell's noise depends neither on its
// batch nor on ranks nor on a restart.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/batch.h"

namespace cellmill::models {

struct FactorNoise {
  at::Tensor eps;                           ///< [B, D] standard normal; undefined: means
  at::Tensor eps_prior;                     ///< the same for what is decoded from the prior
  std::map<std::string, at::Tensor> masks;  ///< dropout by place, divided by the keep probability
};

/// [cells, width] on the device of the batch's labels.
at::Tensor draw_normal(const data::Batch& batch, std::uint64_t seed, const std::string& place,
                       std::int64_t width, at::ScalarType dtype);

/// 1 with probability 1 - `dropped`, else 0; times `kept`.
at::Tensor draw_mask(const data::Batch& batch, std::uint64_t seed, const std::string& place,
                     std::int64_t width, double dropped, double kept, at::ScalarType dtype);

}  // namespace cellmill::models
