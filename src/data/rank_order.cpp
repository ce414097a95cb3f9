#include "data/rank_order.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "base/instruction_sets.h"

namespace cellmill::data {
namespace {

constexpr int kIndexBits = 32, kMostBits = 11;

std::uint32_t key_of(std::uint64_t entry) {
  return static_cast<std::uint32_t>(entry >> kIndexBits);
}

/// 0 of what is not > 0. Returns the least and the largest of the others.
CELLMILL_CLONES
std::pair<std::uint32_t, std::uint32_t> make_keys(const double* values, std::size_t count,
                                                  std::uint32_t* keys) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto is = static_cast<std::uint32_t>(values[i] > 0);
    keys[i] = ~std::bit_cast<std::uint32_t>(static_cast<float>(values[i])) & -is;
  }
  std::uint32_t least = ~0U, largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    least = std::min(least, keys[i] - 1);
    largest = std::max(largest, keys[i]);
  }
  return {least + 1, largest};
}

int width(std::uint64_t number) { return static_cast<int>(std::bit_width(number)); }

}  // namespace

std::span<const std::uint64_t> RankOrder::sort(std::span<const double> values,
                                               const std::int32_t* ties, std::int64_t most) {
  if (entries_.size() < values.size()) {
    entries_.resize(values.size());
    other_.resize(values.size());
    keys_.resize(values.size());
  }
  make_entries(values);
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(most, 0));
  if (size_ > wanted) leave_small_out(wanted);
  choose_digits();
  radix_sort();
  repair(values, ties);
  return {entries_.data(), std::min(size_, wanted)};
}

void RankOrder::make_entries(std::span<const double> values) {
  const auto [least, largest] = make_keys(values.data(), values.size(), keys_.data());
  const std::uint32_t* keys = keys_.data();
  std::uint64_t* entry = entries_.data();
  std::size_t size = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    entry[size] = std::uint64_t{keys[i]} << kIndexBits | i;
    size += keys[i] != 0;
  }
  size_ = found_ = size;
  least_ = least;
  range_ = size > 0 ? largest - least : 0;
}

/// Of the leading bits alone: what cannot be among the `most` first goes.
void RankOrder::leave_small_out(std::size_t most) {
  const int shift = std::max(0, width(range_) - kMostBits);
  counts_.assign(std::size_t{1} << kMostBits, 0);
  for (std::size_t i = 0; i < size_; ++i) ++counts_[(key_of(entries_[i]) - least_) >> shift];
  std::size_t kept = 0;
  std::uint32_t last = 0;
  while (kept < most) kept += counts_[last++];
  const std::uint64_t end = least_ + (std::uint64_t{last} << shift);
  std::size_t size = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    other_[size] = entries_[i];
    size += key_of(entries_[i]) < end;
  }
  std::swap(entries_, other_);
  size_ = size;
  range_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(range_, end - least_));
}

// Few buckets for a short row: clearing and adding them up costs as much as a pass over as many
// entries.
void RankOrder::choose_digits() {
  bits_ = std::clamp(width(size_) - 2, 4, kMostBits);
  shift_ = std::max(0, width(range_) - 2 * bits_);
}

void RankOrder::radix_sort() {
  const std::size_t buckets = std::size_t{1} << bits_;
  const auto mask = static_cast<std::uint32_t>(buckets - 1);
  counts_.assign(2 * buckets, 0);
  std::uint32_t* const low = counts_.data();
  std::uint32_t* const high = low + buckets;
  const auto digits = [=, this](std::uint64_t entry) { return (key_of(entry) - least_) >> shift_; };
  for (std::size_t i = 0; i < size_; ++i) {
    const std::uint32_t both = digits(entries_[i]);
    ++low[both & mask];
    ++high[both >> bits_ & mask];
  }
  std::exclusive_scan(low, high, low, 0U);
  std::exclusive_scan(high, high + buckets, high, 0U);
  const auto scatter = [&](const std::uint64_t* from, std::uint64_t* to, std::uint32_t* next,
                           int by) {
    for (std::size_t i = 0; i < size_; ++i) to[next[digits(from[i]) >> by & mask]++] = from[i];
  };
  scatter(entries_.data(), other_.data(), low, 0);
  scatter(other_.data(), entries_.data(), high, bits_);
}

/// Entries that fell into one bucket are neighbours, but in no order yet.
void RankOrder::repair(std::span<const double> values, const std::int32_t* ties) {
  const auto before = [&](std::uint64_t a, std::uint64_t b) {
    const double x = values[index(a)], y = values[index(b)];
    return x != y ? x > y : ties[index(a)] < ties[index(b)];
  };
  const auto bucket = [&](std::size_t i) { return (key_of(entries_[i]) - least_) >> shift_; };
  for (std::size_t begin = 0, end; begin < size_; begin = end) {
    for (end = begin + 1; end < size_ && bucket(end) == bucket(begin);) ++end;
    if (end - begin > 1) std::sort(entries_.begin() + begin, entries_.begin() + end, before);
  }
}

}  // namespace cellmill::data
