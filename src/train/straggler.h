#pragma once
// A rank that keeps the others waiting, named with what it is slow in. Each rank notes the time of
// its own before it meets the others, step by step; every few steps all ranks learn each other's
// typical times (medians over a window, which single slow steps do not move), and a rank whose are
// 1.35 times the others' is named: so one that is 1.5 times as slow is within 50 steps. Where steps
// scatter so widely that chance alone gives such medians, more is asked for.
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/stopwatch.h"
#include "comm/activity.h"
#include "comm/communicator.h"

namespace cellmill::train {

/// Seconds of one step on this rank, without waiting for others in collectives.
struct OwnTime {
  double data = 0, compute = 0;
  double save = 0;  ///< 0 where it saved nothing
};

/// Seconds of `work` in which this rank did not wait for others.
template <class F>
double own_seconds(const F& work) {
  const Stopwatch watch;
  const double waited = comm::seconds_waited();
  work();
  return watch.seconds() - (comm::seconds_waited() - waited);
}

/// What the others learn of a rank.
struct TypicalTime {
  double data = 0, compute = 0, both = 0;  ///< medians
  double scatter = 0;  ///< of the logarithm of `both`: robust standard deviation
  /// The quickest of its last three saves, and the median of those before: most saves are one
  /// rank's, so it is compared with its own past. 0 before there are so many.
  double late_saves = 0, usual_save = 0;
  double saving = 0;  ///< share of its time that saves took, over the window
};

class OwnTimes {
 public:
  static constexpr std::int64_t kWindow = 40;
  void add(const OwnTime& step);
  bool full() const { return steps_.size() == kWindow; }
  TypicalTime typical() const;

 private:
  std::deque<OwnTime> steps_;
  std::deque<double> saves_;
};

struct Straggler {
  int rank = 0;
  std::string kind;   ///< data | compute | save
  double ratio = 1;   ///< to the other ranks, or to its own earlier saves
  double excess = 0;  ///< seconds a step, or a save
};
/// The slowest rank, if it is slow enough. Pure.
std::optional<Straggler> find_straggler(const std::vector<TypicalTime>& ranks);

class StragglerWatch {
 public:
  static constexpr std::int64_t kEvery = 5;      ///< steps between two looks
  static constexpr std::int64_t kSilence = 500;  ///< steps until the same rank is named again
  explicit StragglerWatch(comm::Communicator& world) : world_(world) {}
  /// After each step; collective. Warns, on rank 0, of a straggler, and returns it on all.
  std::optional<Straggler> step(const OwnTime& own);
  /// Seconds by which the slowest rank usually arrives after the quickest, at the last look.
  double skew() const { return skew_; }

 private:
  comm::Communicator& world_;
  OwnTimes own_;
  std::int64_t steps_ = 0;
  double skew_ = 0;
  std::vector<std::int64_t> named_;  ///< step at which each rank was named last
};

}  // namespace cellmill::train
