#include "io/digest_avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif
#define XXH_VECTOR XXH_AVX2  // the pragma comes too late for xxhash.h's own choice
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace cellmill::io::avx2 {

std::uint64_t digest_number(const void* data, std::size_t bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(data, bytes, seed);
}

}  // namespace cellmill::io::avx2
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
#include "io/digest.h"

namespace cellmill::io::avx2 {

std::uint64_t digest_number(const void* data, std::size_t bytes, std::uint64_t seed) {
  return io::digest_number(data, bytes, seed);
}

}  // namespace cellmill::io::avx2
#endif
