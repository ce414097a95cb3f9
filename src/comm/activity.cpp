#include "comm/activity.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>

namespace cellmill::comm {
namespace {

std::int64_t now() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

/// Steps by duration: four classes an octave from 0.1 ms on.
class Durations {
 public:
  void add(double seconds) {
    const double place = 4 * std::log2(std::max(seconds, 1e-4) / 1e-4);
    ++counts_[std::min(static_cast<std::size_t>(place), counts_.size() - 1)];
  }
  double percentile_99() const {
    std::uint64_t all = 0, above = 0;
    for (const auto& count : counts_) all += count;
    if (all < 20) return 0;
    std::size_t k = counts_.size();
    while (k > 0 && above <= all / 100) above += counts_[--k];
    return 1e-4 * std::exp2(static_cast<double>(k + 1) / 4);
  }

 private:
  std::array<std::atomic<std::uint32_t>, 128> counts_{};
};

struct Now {
  std::mutex mutex;  // of name and phase
  std::string name = "starting";
  Phase phase = Phase::kStart;
  std::int64_t step = -1, step_began = 0;
  Durations durations;
  std::atomic<std::uint64_t> collectives = 0, events = 0;
  std::atomic<std::int64_t> waited = 0, wait_began = 0;
  std::atomic<int> depth = 0;
};

Now& state() {
  static Now n;
  return n;
}

}  // namespace

void set_phase(const std::string& name, Phase phase, std::int64_t step) {
  Now& s = state();
  const auto time = now();
  const std::scoped_lock lock(s.mutex);
  if (phase == Phase::kStep && s.phase == Phase::kStep)
    s.durations.add(1e-9 * static_cast<double>(time - s.step_began));
  s.step_began = time;
  s.name = name;
  s.phase = phase;
  s.step = step;
  ++s.events;
}

void note_progress() { ++state().events; }

Collective::Collective() {
  Now& s = state();
  if (s.depth++ > 0) return;
  s.wait_began = now();
  ++s.collectives;
  ++s.events;
}

Collective::~Collective() {
  Now& s = state();
  if (--s.depth > 0) return;
  s.waited += now() - s.wait_began;
  ++s.events;
}

double seconds_waited() { return 1e-9 * static_cast<double>(state().waited.load()); }

Activity activity() {
  Now& s = state();
  const std::scoped_lock lock(s.mutex);
  return {s.phase, s.name, s.step, s.collectives, s.depth > 0, s.events};
}

double slow_step_seconds() { return state().durations.percentile_99(); }

}  // namespace cellmill::comm
