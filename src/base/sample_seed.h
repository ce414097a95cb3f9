#pragma once
// Of a sample to generate, from the seed of its request: wherever that is asked, the same.
#include "base/random.h"

namespace cellmill::random {

inline std::uint64_t sample_seed(std::uint64_t seed, std::uint64_t input, std::uint64_t copy) {
  return bits(Use::kNoise, {seed, input, copy});
}

}  // namespace cellmill::random
