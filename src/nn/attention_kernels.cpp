#include "nn/attention_kernels.h"

#include "base/instruction_sets.h"
#include "nn/avx512_kernels.h"

namespace cellmill::nn {

#ifdef CELLMILL_AVX512
const HeadKernel* float_kernel() { return has_avx512() ? &kAvx512Floats : nullptr; }

const HeadKernel* bfloat16_kernel() {
  if (!has_avx512() || __builtin_cpu_supports("amx-bf16")) return nullptr;
  return __builtin_cpu_supports("avx512bf16") ? &kAvx512Pairs : &kAvx512WidenedFloats;
}

const HeadKernel* emulated_pairs_kernel() { return has_avx512() ? &kAvx512EmulatedPairs : nullptr; }
#else
const HeadKernel* float_kernel() { return nullptr; }
const HeadKernel* bfloat16_kernel() { return nullptr; }
const HeadKernel* emulated_pairs_kernel() { return nullptr; }
#endif

}  // namespace cellmill::nn
