#pragma once
// Initial values as a function of (seed, parameter's name, place), so that they do not depend on
// the order of creation or on ranks.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cellmill::models {

/// A name as a word of a key of random draws.
std::uint64_t key_of(const std::string& name);

/// Uniform in [low, high).
at::Tensor uniform(std::uint64_t seed, const std::string& name,
                   const std::vector<std::int64_t>& shape, double low, double high,
                   at::ScalarType dtype);

/// Uniform in [0, 1), every vector along `dimension` scaled to unit L2 norm.
at::Tensor unit_columns(std::uint64_t seed, const std::string& name,
                        const std::vector<std::int64_t>& shape, std::int64_t dimension,
                        at::ScalarType dtype);

/// Normal about 0. Threads share the work; the values do not depend on them.
at::Tensor normal(std::uint64_t seed, const std::string& name,
                  const std::vector<std::int64_t>& shape, double deviation, at::ScalarType dtype);

}  // namespace cellmill::models
