#pragma once
// The kernels of nn/attention_kernels.h and nn/layer_kernels.h by instruction set; to be called
// only where the processor has it.
#include "nn/attention_kernels.h"
#include "nn/layer_kernels.h"

namespace cellmill::nn {

extern const HeadKernel kAvx512Floats, kAvx512WidenedFloats, kAvx512EmulatedPairs;
extern const LayerKernels kAvx512FloatLayer, kAvx512EmulatedPairsLayer;
/// These want avx512_bf16.
extern const HeadKernel kAvx512Pairs;
extern const LayerKernels kAvx512PairsLayer;

}  // namespace cellmill::nn
