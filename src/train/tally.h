#pragma once
// Means, smallest and largest values of named numbers over some steps: what one point of a curve
// stands for. Its content goes into checkpoints, so that a resumed run writes the same points.
#include <cstdint>
#include <map>
#include <string>

namespace cellmill::train {

class Tally {
 public:
  struct Entry {
    double sum = 0, low = 0, high = 0;
    std::int64_t count = 0;
    double mean() const { return count ? sum / static_cast<double>(count) : 0; }
  };
  /// `weight` counts the value so many times in the mean (cells of the step).
  void add(const std::string& name, double value, std::int64_t weight = 1);
  const std::map<std::string, Entry>& entries() const { return entries_; }
  void clear() { entries_.clear(); }

  /// "<prefix>/<name>/sum|low|high|count" -> number, bit-exact.
  void save(const std::string& prefix, std::map<std::string, double>& reals) const;
  void load(const std::string& prefix, const std::map<std::string, double>& reals);

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace cellmill::train
