#include "nn/layer_kernels.h"

#include "base/instruction_sets.h"
#include "nn/avx512_kernels.h"

namespace cellmill::nn {

#ifdef CELLMILL_AVX512
EncoderKernels float_encoder() {
  if (!has_avx512()) return {};
  return {&kAvx512FloatLayer, &kAvx512Floats};
}

EncoderKernels bfloat16_encoder() {
  const auto* head = bfloat16_kernel();
  if (!head) return {};
  if (head == &kAvx512Pairs) return {&kAvx512PairsLayer, head};
  return float_encoder();
}

EncoderKernels emulated_pairs_encoder() {
  if (!has_avx512()) return {};
  return {&kAvx512EmulatedPairsLayer, &kAvx512EmulatedPairs};
}
#else
EncoderKernels float_encoder() { return {}; }
EncoderKernels bfloat16_encoder() { return {}; }
EncoderKernels emulated_pairs_encoder() { return {}; }
#endif

}  // namespace cellmill::nn
