#include "train/adamw_kernel.h"

#include <cmath>

#include "base/instruction_sets.h"

namespace cellmill::train {

CELLMILL_CLONES
void adamw_step(const AdamwFactors& f, std::int64_t count, float* __restrict value,
                const float* __restrict gradient, float* __restrict moment1,
                float* __restrict moment2) {
  const AdamwFactors k = f;
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = gradient[i];
    const float m = moment1[i] + k.weight1 * (g - moment1[i]);
    const float v = k.beta2 * moment2[i] + k.weight2 * g * g;
    moment1[i] = m;
    moment2[i] = v;
    value[i] = k.keep * value[i] - k.step * m / (__builtin_sqrtf(v) / k.correction2 + k.epsilon);
  }
}

}  // namespace cellmill::train
