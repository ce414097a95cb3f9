#include "models/init.h"

#include <ATen/ATen.h>

#include "base/random.h"

namespace cellmill::models {

std::uint64_t key_of(const std::string& name) {
  std::uint64_t key = name.size();
  for (unsigned char c : name) key = random::mix(key ^ c);
  return key;
}

at::Tensor uniform(std::uint64_t seed, const std::string& name,
                   const std::vector<std::int64_t>& shape, double low, double high,
                   at::ScalarType dtype) {
  auto values = at::empty(shape, at::kDouble);
  auto* v = values.mutable_data_ptr<double>();
  const auto key = key_of(name);
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    v[i] =
        low + (high - low) * random::unit(random::bits(random::Use::kInit,
                                                       {seed, key, static_cast<std::uint64_t>(i)}));
  }
  return values.to(dtype);
}

at::Tensor unit_columns(std::uint64_t seed, const std::string& name,
                        const std::vector<std::int64_t>& shape, std::int64_t dimension,
                        at::ScalarType dtype) {
  const auto values = uniform(seed, name, shape, 0, 1, at::kDouble);
  return (values / values.norm(2, dimension, /*keepdim=*/true)).to(dtype);
}

at::Tensor normal(std::uint64_t seed, const std::string& name,
                  const std::vector<std::int64_t>& shape, double deviation, at::ScalarType dtype) {
  constexpr std::uint64_t kStride = 0x9e3779b97f4a7c15ULL;  // SplitMix64's
  auto values = at::empty(shape, at::kDouble);
  auto* v = values.mutable_data_ptr<double>();
  const auto first = random::bits(random::Use::kInit, {seed, key_of(name)});
  for (std::int64_t i = 0; i < values.numel(); ++i)
    v[i] = deviation * random::normal(random::mix(first + static_cast<std::uint64_t>(i) * kStride));
  return values.to(dtype);
}

}  // namespace cellmill::models
