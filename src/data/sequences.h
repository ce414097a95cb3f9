#pragma once
// Token sequences of several cells one after another, without padding.
#include <cstdint>
#include <span>
#include <vector>

namespace cellmill::data {

struct Sequences {
  std::vector<std::int32_t> tokens;
  std::vector<std::int64_t> offsets = {0};  ///< cell i is tokens [offsets[i], offsets[i+1])

  std::int64_t size() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  std::int64_t length(std::int64_t cell) const {
    const auto i = static_cast<std::size_t>(cell);
    return offsets[i + 1] - offsets[i];
  }
  std::span<const std::int32_t> operator[](std::int64_t cell) const {
    return std::span(tokens).subspan(
        static_cast<std::size_t>(offsets[static_cast<std::size_t>(cell)]),
        static_cast<std::size_t>(length(cell)));
  }
  void append(std::span<const std::int32_t> cell) {
    tokens.insert(tokens.end(), cell.begin(), cell.end());
    offsets.push_back(static_cast<std::int64_t>(tokens.size()));
  }
};

}  // namespace cellmill::data
