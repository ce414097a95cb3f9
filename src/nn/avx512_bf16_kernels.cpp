#include "base/instruction_sets.h"
#include "nn/avx512_kernels.h"

#ifdef CELLMILL_AVX512
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // gcc 12 warns of its own intrinsics
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma,avx512bf16")
#include "nn/attention_tiles.h"
#include "nn/layer_tiles.h"

namespace cellmill::nn {
namespace {

struct NativeDot {
  CELLMILL_INLINE static __m512 add(__m512 sum, __m512 a, __m512 b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};

}  // namespace

constinit const HeadKernel kAvx512Pairs = head_of<Pairs<NativeDot>>();
constinit const LayerKernels kAvx512PairsLayer = layer_of<Pairs<NativeDot>>();

}  // namespace cellmill::nn
#pragma GCC diagnostic pop
#pragma GCC pop_options
#endif
