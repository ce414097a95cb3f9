#pragma once
// The kernels of nn/attention_kernels.h by instruction set, each in a file of its own; to be called
// only where the processor has it.
#include "nn/attention_kernels.h"

namespace cellmill::nn {

extern const HeadKernel kAvx512Floats, kAvx512WidenedFloats, kAvx512EmulatedPairs;
extern const HeadKernel kAvx512Pairs;  ///< wants avx512_bf16

}  // namespace cellmill::nn
