#include "nn/keyed_dropout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>

#include "base/random.h"

namespace cellmill::nn {
namespace {

constexpr std::uint64_t kStride = 0x9e3779b97f4a7c15ULL;  // SplitMix64's, from column to column
constexpr std::int64_t kDraws = 4;                        // of 16 bits in a word

}  // namespace

at::Tensor keep_mask(const at::Tensor& keys, std::int64_t place, std::int64_t width, double rate) {
  const auto rows = keys.size(0);
  auto mask = at::empty({rows, width}, at::kFloat);
  const auto* key = keys.const_data_ptr<std::int64_t>();
  auto* values = mask.mutable_data_ptr<float>();
  const auto dropped = static_cast<std::uint64_t>(std::lround(rate * 65536));
  const float kept = 1 / (1 - static_cast<float>(dropped) / 65536);
  at::parallel_for(0, rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (auto row = begin; row < end; ++row) {
      const auto first = random::bits(random::Use::kDropout, {static_cast<std::uint64_t>(key[row]),
                                                              static_cast<std::uint64_t>(place)});
      auto* out = values + row * width;
      for (std::int64_t c = 0; c < width; ++c) {
        const auto word = random::mix(first + static_cast<std::uint64_t>(c / kDraws) * kStride);
        out[c] = (word >> (16 * (c % kDraws)) & 0xffff) < dropped ? 0.f : kept;
      }
    }
  });
  return mask;
}

at::Tensor keyed_dropout(const at::Tensor& x, const at::Tensor& keys, std::int64_t place,
                         double rate) {
  return x * keep_mask(keys, place, x.size(1), rate).to(x.device(), x.scalar_type());
}

}  // namespace cellmill::nn
