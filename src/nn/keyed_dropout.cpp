#include "nn/keyed_dropout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace cellmill::nn {
namespace {

constexpr std::uint64_t kStride = 0x9e3779b97f4a7c15ULL;  // SplitMix64's, from word to word
constexpr std::int64_t kDraws = 4;                        // of 16 bits in a word

std::uint64_t first_word(std::int64_t key, std::int64_t place) {
  return random::bits(random::Use::kDropout,
                      {static_cast<std::uint64_t>(key), static_cast<std::uint64_t>(place)});
}

struct Rate {
  explicit Rate(double rate) : dropped(std::lround(rate * 65536)) {}
  std::int64_t dropped;  ///< of 65,536
  template <class T>
  T kept() const {
    return 1 / (1 - static_cast<T>(dropped) / 65536);
  }
};

at::Scalar number(std::uint64_t word) { return static_cast<std::int64_t>(word); }

/// Of words, whose highest bit is no sign.
at::Tensor shifted_right(const at::Tensor& words, std::int64_t bits) {
  return at::bitwise_right_shift(words, bits).bitwise_and_((std::int64_t{1} << (64 - bits)) - 1);
}

/// random::mix of each.
at::Tensor mixed(const at::Tensor& words) {
  auto x = words + number(kStride);
  x = (x ^ shifted_right(x, 30)).mul_(number(0xbf58476d1ce4e5b9ULL));
  x = (x ^ shifted_right(x, 27)).mul_(number(0x94d049bb133111ebULL));
  return x ^ shifted_right(x, 31);
}

}  // namespace

template <class T>
void keep_row(std::int64_t key, std::int64_t place, T* values, std::int64_t width, double rate) {
  const Rate of(rate);
  const auto dropped = static_cast<std::uint64_t>(of.dropped);
  const T kept = of.kept<T>();
  auto word = first_word(key, place);
  for (std::int64_t c = 0; c < width; word += kStride) {
    auto draws = random::mix(word);
    for (const auto end = std::min(width, c + kDraws); c < end; ++c, draws >>= 16)
      values[c] *= (draws & 0xffff) < dropped ? T{0} : kept;
  }
}
template void keep_row(std::int64_t, std::int64_t, float*, std::int64_t, double);
template void keep_row(std::int64_t, std::int64_t, double*, std::int64_t, double);

at::Tensor keep_mask(const at::Tensor& keys, std::int64_t place, std::int64_t width, double rate,
                     at::Device device) {
  if (!device.is_cpu()) return drawn_keep_mask(keys, place, width, rate, device);
  const auto rows = keys.size(0);
  auto mask = at::ones({rows, width}, at::kFloat);
  const auto* key = keys.const_data_ptr<std::int64_t>();
  auto* values = mask.mutable_data_ptr<float>();
  at::parallel_for(0, rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = begin; row < end; ++row)
      keep_row(key[row], place, values + row * width, width, rate);
  });
  return mask;
}

at::Tensor drawn_keep_mask(const at::Tensor& keys, std::int64_t place, std::int64_t width,
                           double rate, at::Device device) {
  auto words = at::empty_like(keys);
  const auto* key = keys.const_data_ptr<std::int64_t>();
  auto* word = words.mutable_data_ptr<std::int64_t>();
  for (std::int64_t row = 0; row < keys.size(0); ++row)
    word[row] = static_cast<std::int64_t>(first_word(key[row], place));
  const auto options = at::dtype(at::kLong).device(device);
  const auto strides = at::arange((width + kDraws - 1) / kDraws, options).mul_(number(kStride));
  const auto draws = mixed(words.to(device).unsqueeze(1) + strides).unsqueeze(2);
  const auto all = at::bitwise_right_shift(draws, at::arange(kDraws, options) * 16) & 0xffff;
  const Rate of(rate);
  return all.flatten(1).slice(1, 0, width).ge(of.dropped).to(at::kFloat).mul_(of.kept<float>());
}

at::Tensor keyed_dropout(const at::Tensor& x, const at::Tensor& keys, std::int64_t place,
                         double rate) {
  return x * keep_mask(keys, place, x.size(1), rate, x.device()).to(x.scalar_type());
}

}  // namespace cellmill::nn
