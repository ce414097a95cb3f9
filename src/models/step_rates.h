#pragma once
// How fast a device does what training steps are made of, measured at their shapes.
#include <c10/core/Device.h>

#include <cstdint>

namespace cellmill::models {

struct RateShape {
  std::int64_t cells = 512, genes = 20000, columns = 1280, nonzeros = 1350;
};

/// 0: not measured.
struct StepRates {
  double float32_flops = 0, bfloat16_flops = 0;  ///< of matrix products, 2 a multiply-add
  double sparse_flops = 0;                       ///< of products with sparse cells, both ways
  double copy_bytes = 0;                         ///< a second, read and written
};

/// Medians; a second or two. On the host large shapes are cut, as the rates no longer change.
StepRates measure_step_rates(RateShape shape, c10::Device device);

}  // namespace cellmill::models
