#pragma once
// Wall time in seconds on the monotonic clock.
#include <chrono>

namespace cellmill {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  /// Seconds since construction or the last lap; starts the next lap.
  double lap() {
    const double s = seconds();
    start_ = Clock::now();
    return s;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

}  // namespace cellmill
