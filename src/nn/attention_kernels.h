#pragma once
// The arithmetic of attention without gradients, a head of a sequence at a time: blocked, with the
// softmax on the fly (Dao et al., FlashAttention), in AVX-512. Products are sums over words of 32
// bits: a float, or a pair of bfloat16 that is multiplied and added in one instruction. One thread
// a call; a query's result depends on nothing but its own sequence, bit for bit.
#include <cstddef>
#include <cstdint>

namespace cellmill::nn {

/// A head of a sequence: `length` rows of `depth` values, float or bfloat16, `stride` values apart.
struct Head {
  const void *query, *key, *value;
  void* out;
  std::int64_t length, depth, stride, out_stride;
};

/// Keys and queries that a call takes at most.
inline constexpr std::int64_t kKeys = 64, kQueries = 96;

struct HeadKernel {
  /// Numbers of 32 bits that a head's keys and values take once packed.
  std::int64_t (*words)(std::int64_t length, std::int64_t depth);
  /// Brings keys and values [begin, begin + kKeys) into the order in which `attend` reads them.
  void (*pack)(const Head& head, std::int64_t begin, float* packed);
  /// Writes rows [begin, begin + kQueries) of out; `room` of `attend_room` numbers.
  void (*attend)(const Head& head, std::int64_t begin, const float* packed, float* room);
};
constexpr std::int64_t attend_room(std::int64_t depth) { return kQueries * (2 * depth + 64); }

/// The fastest that this processor has; null without AVX-512.
const HeadKernel* float_kernel();
/// Of bfloat16: computed in float32 unless the processor multiplies pairs itself (avx512_bf16).
/// Null where it multiplies tiles of them (AMX), as LibTorch's kernels do.
const HeadKernel* bfloat16_kernel();
/// Of bfloat16, its pairs multiplied by two instructions for float32 instead of one: for tests of
/// all but that instruction.
const HeadKernel* emulated_pairs_kernel();

}  // namespace cellmill::nn
