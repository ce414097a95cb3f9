#pragma once
// XXH3 compiled for AVX2: the same number, some twice as fast; nobody but digest.cpp calls it,
// where the processor has AVX2 (it does not exist elsewhere).
#include <cstddef>
#include <cstdint>

namespace cellmill::io::avx2 {

std::uint64_t digest_number(const void* data, std::size_t bytes, std::uint64_t seed);

}  // namespace cellmill::io::avx2
