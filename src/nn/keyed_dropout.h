#pragma once
// Dropout whose draws are a function of keys, one a row, and a place in the network: the same
// whatever the batch, the number of ranks or the device.
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cellmill::nn {

/// keys [n] int64 on the host -> [n, width] float32 on `device`: 0 with probability `rate` (to
/// 1/65,536), else 1 / (1 - that).
at::Tensor keep_mask(const at::Tensor& keys, std::int64_t place, std::int64_t width, double rate,
                     at::Device device = at::kCPU);
/// The same, drawn on the device: what it is made by where that is not the host.
at::Tensor drawn_keep_mask(const at::Tensor& keys, std::int64_t place, std::int64_t width,
                           double rate, at::Device device);

/// Multiplies a row of `width` values by its part of the mask, in place.
template <class T>
void keep_row(std::int64_t key, std::int64_t place, T* values, std::int64_t width, double rate);

/// x [n, width] times its mask; differentiable.
at::Tensor keyed_dropout(const at::Tensor& x, const at::Tensor& keys, std::int64_t place,
                         double rate);

}  // namespace cellmill::nn
