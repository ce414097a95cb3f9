#pragma once
// AdamW on one run of float32 values, in one pass over memory. Formula and order of operations as
// torch.optim.AdamW (Loshchilov and Hutter 2019), which the tests hold against it.
#include <cstdint>

namespace cellmill::train {

struct AdamwFactors {
  float keep;              ///< 1 - learning rate * decay
  float weight1, weight2;  ///< 1 - beta1, 1 - beta2: of the new gradient, of its square
  float beta2;
  float step;         ///< learning rate / (1 - beta1^t)
  float correction2;  ///< sqrt(1 - beta2^t)
  float epsilon;
};

void adamw_step(const AdamwFactors& factors, std::int64_t count, float* value,
                const float* gradient, float* moment1, float* moment2);

}  // namespace cellmill::train
