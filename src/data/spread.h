#pragma once
// How positive numbers spread: smallest, largest, and a histogram of eighths of an octave from
// 2^-16 to 2^48, in a fixed amount of memory whatever the number of values. Adds over parts of the
// data.
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace cellmill::data {

class Spread {
 public:
  /// Zero and below count as zero.
  void add(double value);
  void merge(const Spread& other);
  std::int64_t count() const;
  double min() const { return low_; }
  double max() const { return high_; }
  /// The value below which `fraction` of them lie, to 5 %.
  double quantile(double fraction) const;
  struct Bin {
    double low, high;
    std::int64_t count;
  };
  /// From the first to the last that holds something, at most about `most` of them; zeros are not
  /// among them.
  std::vector<Bin> bins(std::size_t most) const;
  std::int64_t zeros() const { return zeros_; }
  /// Calls `part` with each part of the state.
  template <class Part>
  void visit(Part& part) {
    part(counts_);
    part(zeros_);
    part(low_);
    part(high_);
  }

 private:
  static constexpr int kPerOctave = 8, kFirst = -16 * kPerOctave, kBins = 64 * kPerOctave;
  std::array<std::int64_t, kBins> counts_{};
  std::int64_t zeros_ = 0;
  double low_ = std::numeric_limits<double>::infinity();
  double high_ = -std::numeric_limits<double>::infinity();
};

}  // namespace cellmill::data
