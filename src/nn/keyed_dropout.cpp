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

}  // namespace

template <class T>
void keep_row(std::int64_t key, std::int64_t place, T* values, std::int64_t width, double rate) {
  const auto dropped = static_cast<std::uint64_t>(std::lround(rate * 65536));
  const T kept = 1 / (1 - static_cast<T>(dropped) / 65536);
  auto word = random::bits(random::Use::kDropout,
                           {static_cast<std::uint64_t>(key), static_cast<std::uint64_t>(place)});
  for (std::int64_t c = 0; c < width; word += kStride) {
    auto draws = random::mix(word);
    for (const auto end = std::min(width, c + kDraws); c < end; ++c, draws >>= 16)
      values[c] *= (draws & 0xffff) < dropped ? T{0} : kept;
  }
}
template void keep_row(std::int64_t, std::int64_t, float*, std::int64_t, double);
template void keep_row(std::int64_t, std::int64_t, double*, std::int64_t, double);

at::Tensor keep_mask(const at::Tensor& keys, std::int64_t place, std::int64_t width, double rate) {
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

at::Tensor keyed_dropout(const at::Tensor& x, const at::Tensor& keys, std::int64_t place,
                         double rate) {
  return x * keep_mask(keys, place, x.size(1), rate).to(x.device(), x.scalar_type());
}

}  // namespace cellmill::nn
