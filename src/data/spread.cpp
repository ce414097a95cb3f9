#include "data/spread.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cellmill::data {

void Spread::add(double value) {
  low_ = std::min(low_, std::max(value, 0.0));
  high_ = std::max(high_, value);
  if (value <= 0) {
    ++zeros_;
    return;
  }
  const auto bin = static_cast<int>(std::floor(std::log2(value) * kPerOctave)) - kFirst;
  ++counts_[static_cast<std::size_t>(std::clamp(bin, 0, kBins - 1))];
}

void Spread::merge(const Spread& other) {
  for (std::size_t b = 0; b < counts_.size(); ++b) counts_[b] += other.counts_[b];
  zeros_ += other.zeros_;
  low_ = std::min(low_, other.low_);
  high_ = std::max(high_, other.high_);
}

std::int64_t Spread::count() const {
  return std::accumulate(counts_.begin(), counts_.end(), zeros_);
}

double Spread::quantile(double fraction) const {
  const auto wanted = fraction * static_cast<double>(count());
  auto below = static_cast<double>(zeros_);
  if (below >= wanted) return std::min(0.0, high_);
  for (int b = 0; b < kBins; ++b) {
    below += static_cast<double>(counts_[static_cast<std::size_t>(b)]);
    if (below >= wanted) return std::clamp(std::exp2((b + 0.5 + kFirst) / kPerOctave), low_, high_);
  }
  return high_;
}

std::vector<Spread::Bin> Spread::bins(std::size_t most) const {
  const auto full = [](std::int64_t n) { return n > 0; };
  const auto first = std::find_if(counts_.begin(), counts_.end(), full);
  if (first == counts_.end()) return {};
  const auto end = std::find_if(counts_.rbegin(), counts_.rend(), full).base();
  const auto wide =
      static_cast<std::ptrdiff_t>((static_cast<std::size_t>(end - first) + most - 1) / most);
  std::vector<Bin> bins;
  for (auto bin = first; bin < end; bin += std::min(wide, end - bin)) {
    const auto last = bin + std::min(wide, end - bin);
    const auto edge = [&](auto at) {
      return std::exp2((static_cast<double>(at - counts_.begin()) + kFirst) / kPerOctave);
    };
    bins.push_back({edge(bin), edge(last), std::accumulate(bin, last, std::int64_t{0})});
  }
  return bins;
}

}  // namespace cellmill::data
