#pragma once
// How fast a device does what training steps are made of, measured at their shapes.
#include <c10/core/Device.h>

#include <cstdint>
#include <functional>

namespace cellmill::models {

struct RateShape {
  std::int64_t cells = 512, genes = 20000, columns = 1540, nonzeros = 1350;
  bool bfloat16 = false;  ///< measured, too: some processors take long
};

/// 0: not measured.
struct StepRates {
  /// Of cells times weights, generated cells, and gradients of weights; 2 a multiply-add.
  double float32_flops = 0, bfloat16_flops = 0;
  double gram_flops = 0;    ///< weights times weights, float32
  double sparse_flops = 0;  ///< of products with sparse cells, both ways
  double copy_bytes = 0;    ///< a second, read and written
};

/// Medians; some seconds. On the host large shapes are cut, as the rates no longer change. `begin`
/// is called before each measurement: ranks that share a machine measure the same at a time.
StepRates measure_step_rates(
    RateShape shape, c10::Device device, const std::function<void()>& begin = [] {});

}  // namespace cellmill::models
