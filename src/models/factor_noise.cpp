#include "models/factor_noise.h"

#include <ATen/ATen.h>

#include "base/random.h"
#include "models/init.h"

namespace cellmill::models {
namespace {

constexpr std::uint64_t kStride = 0x9e3779b97f4a7c15ULL;  // SplitMix64's, from column to column

template <class F>
at::Tensor drawn(const data::Batch& batch, random::Use use, std::uint64_t seed,
                 const std::string& place, std::int64_t width, at::ScalarType dtype, const F& f) {
  auto values = at::empty({batch.cells.size(0), width}, at::kFloat);
  auto* v = values.mutable_data_ptr<float>();
  const auto* cell = batch.cells.const_data_ptr<std::int64_t>();
  for (std::int64_t b = 0; b < values.size(0); ++b) {
    const auto row =
        random::bits(use, {seed, key_of(place), static_cast<std::uint64_t>(batch.epoch),
                           static_cast<std::uint64_t>(cell[b])});
    for (std::int64_t c = 0; c < width; ++c)
      *v++ = static_cast<float>(f(random::mix(row + static_cast<std::uint64_t>(c) * kStride)));
  }
  return values.to(batch.labels.device(), dtype);
}

}  // namespace

at::Tensor draw_normal(const data::Batch& batch, std::uint64_t seed, const std::string& place,
                       std::int64_t width, at::ScalarType dtype) {
  return drawn(batch, random::Use::kNoise, seed, place, width, dtype, random::normal);
}

at::Tensor draw_mask(const data::Batch& batch, std::uint64_t seed, const std::string& place,
                     std::int64_t width, double dropped, double kept, at::ScalarType dtype) {
  return drawn(batch, random::Use::kDropout, seed, place, width, dtype,
               [&](std::uint64_t bits) { return random::unit(bits) < dropped ? 0. : kept; });
}

}  // namespace cellmill::models
