#include "nn/attention_kernels.h"

#include "base/instruction_sets.h"
#include "nn/attention_avx512.h"

namespace cellmill::nn {

#ifdef CELLMILL_AVX512
namespace {

// What the system does not save between threads, gcc's runtime calls unsupported.
bool avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

}  // namespace

const HeadKernel* float_kernel() { return avx512() ? &kAvx512Floats : nullptr; }

const HeadKernel* bfloat16_kernel() {
  if (!avx512()) return nullptr;
  return __builtin_cpu_supports("avx512bf16") ? &kAvx512Pairs : &kAvx512WidenedFloats;
}

const HeadKernel* emulated_pairs_kernel() { return avx512() ? &kAvx512EmulatedPairs : nullptr; }
#else
const HeadKernel* float_kernel() { return nullptr; }
const HeadKernel* bfloat16_kernel() { return nullptr; }
const HeadKernel* emulated_pairs_kernel() { return nullptr; }
#endif

}  // namespace cellmill::nn
