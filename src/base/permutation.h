#pragma once
// A keyed order of 0 .. n-1 without a table: any n, no memory, the same on every machine. Balanced
// Feistel network over the next power of four, walked until the result is below n (Black and
// Rogaway, CT-RSA 2002).
#include <array>
#include <bit>
#include <cstdint>

#include "base/random.h"

namespace cellmill::random {

class Permutation {
 public:
  Permutation(Use use, std::uint64_t size, std::uint64_t key) : size_(size) {
    half_ = size < 2 ? 1 : (std::bit_width(size - 1) + 1) / 2;
    mask_ = (std::uint64_t{1} << half_) - 1;
    for (std::size_t r = 0; r < keys_.size(); ++r) keys_[r] = bits(use, {key, size, r});
  }
  std::uint64_t size() const { return size_; }
  /// Where `i` (below the size) goes.
  std::uint64_t operator()(std::uint64_t i) const {
    do {
      std::uint64_t left = i >> half_, right = i & mask_;
      for (const std::uint64_t key : keys_) {
        const std::uint64_t next = left ^ (mix(right ^ key) & mask_);
        left = right;
        right = next;
      }
      i = left << half_ | right;
    } while (i >= size_);
    return i;
  }

 private:
  std::uint64_t size_, mask_;
  int half_;
  std::array<std::uint64_t, 8> keys_;
};

}  // namespace cellmill::random
