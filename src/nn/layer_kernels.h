#pragma once
// Linear layers and layer norms of a block of rows whose results stay in the cache for the next
// step, in AVX-512. Products are of words of 32 bits, as in nn/attention_kernels.h; sums, and all
// else, are float32. One thread a call; a row's result depends on no other row, bit for bit.
#include <cstdint>

#include "nn/attention_kernels.h"

namespace cellmill::nn {

/// Rows of a block. Rows are contiguous, and what is read and written is rounded up to a multiple
/// of 6 of them.
inline constexpr std::int64_t kBlockRows = 96;
constexpr std::int64_t with_spare_rows(std::int64_t rows) { return (rows + 5) / 6 * 6; }

/// A weight [out, in], packed, and its bias [out]; both divisible by 16.
struct PackedProduct {
  const float *weight, *bias;
  std::int64_t in, out;
};

struct LayerKernels {
  std::int64_t values;  ///< in a word
  /// `packed` of out * in / values numbers.
  void (*pack)(const float* weight, std::int64_t out, std::int64_t in, float* packed);
  /// y [rows, out] = x W' + bias, plus `added` if not null, or if `relu` the larger of that and 0;
  /// x [rows, in] as words.
  void (*multiply)(const PackedProduct& product, const float* x, const float* added, bool relu,
                   std::int64_t rows, float* y);
  /// `count`, divisible by 16, of x.
  void (*to_words)(const float* x, std::int64_t count, float* words);
  /// In place: (x - mean) / sqrt(variance + epsilon) * weight + bias by row; `width` divisible by
  /// 16.
  void (*normalise)(float* x, std::int64_t rows, std::int64_t width, const float* weight,
                    const float* bias, float epsilon);
};

/// Both null where the processor has no such kernels.
struct EncoderKernels {
  const LayerKernels* layer = nullptr;
  const HeadKernel* head = nullptr;
};
EncoderKernels float_encoder();
/// Products of bfloat16 if the processor has avx512_bf16, of float32 if it has no such
/// instructions at all; null if it has AMX.
EncoderKernels bfloat16_encoder();
EncoderKernels emulated_pairs_encoder();  ///< for tests

}  // namespace cellmill::nn
