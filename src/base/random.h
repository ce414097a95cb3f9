#pragma once
// Counter-based randomness: every draw is a pure function of a key, so that no result depends on
// how many ranks, workers or restarts a run has. The mixer is SplitMix64's finaliser (Steele, Lea,
// Flood, OOPSLA 2014), chained over the words of the key.
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <utility>
#include <vector>

namespace cellmill::random {

/// What a draw is for; the first word of every key, so that two uses of one seed never meet.
enum class Use : std::uint64_t {
  kInit = 1,
  kBlockOrder,
  kCellOrder,
  kTarget,
  kKeep,
  kSplit,
  kSynthetic,
  kTest,
  kPack,
  kNoise,
  kDropout,
  kProbe,
  kMask
};

inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// 64 random bits for (use, words...).
inline std::uint64_t bits(Use use, std::initializer_list<std::uint64_t> words) {
  std::uint64_t h = mix(static_cast<std::uint64_t>(use));
  for (std::uint64_t w : words) h = mix(h ^ mix(w));
  return h;
}

/// Uniform in [0, 1), 53 bits.
inline double unit(std::uint64_t b) { return static_cast<double>(b >> 11) * 0x1.0p-53; }

/// Uniform in [0, n), n > 0 (multiply-shift; bias below n / 2^64).
inline std::uint64_t below(std::uint64_t b, std::uint64_t n) {
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(b) * n) >> 64);
}

/// Standard normal, by Box and Muller.
inline double normal(std::uint64_t b) {
  const double u = 1 - unit(b), v = unit(mix(b));
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

/// Fisher-Yates with the draws bits(use, {key, i}).
template <class T>
void shuffle(std::vector<T>& items, Use use, std::uint64_t key) {
  for (std::size_t i = items.size(); i > 1; --i)
    std::swap(items[i - 1], items[below(bits(use, {key, i}), i)]);
}

}  // namespace cellmill::random
