#include "nn/avx512_kernels.h"

#include "base/instruction_sets.h"

#ifdef CELLMILL_AVX512
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // gcc 12 warns of its own intrinsics
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#include "nn/attention_tiles.h"
#include "nn/layer_tiles.h"

namespace cellmill::nn {

constinit const HeadKernel kAvx512Floats = head_of<Floats>();
constinit const HeadKernel kAvx512WidenedFloats = head_of<WidenedFloats>();
constinit const HeadKernel kAvx512EmulatedPairs = head_of<Pairs<EmulatedDot>>();
constinit const LayerKernels kAvx512FloatLayer = layer_of<Floats>();
constinit const LayerKernels kAvx512EmulatedPairsLayer = layer_of<Pairs<EmulatedDot>>();

}  // namespace cellmill::nn
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif
