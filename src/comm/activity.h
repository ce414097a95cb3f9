#pragma once
// What this rank does now, for failure reports and for whoever watches it: a phase, a step, and
// whether it works or waits for others in a collective. The thread that trains writes, any thread
// reads; both cost nanoseconds and never wait for each other for long.
#include <cstdint>
#include <string>

namespace cellmill::comm {

/// What decides how long a rank may stand still (comm/watchdog.h).
enum class Phase : std::uint8_t { kStart, kStep, kEvaluate, kSave, kClose };

/// Names the phase for failure reports: "opening data", "step 1200". `step` is the number of steps
/// done, -1 before there is one. Any time.
void set_phase(const std::string& name, Phase phase = Phase::kStart, std::int64_t step = -1);
/// Says that a long phase without collectives is getting on: a batch was evaluated.
void note_progress();

/// While it lives this rank waits for others. Communicators hold one in each collective; nested
/// ones count as one.
class Collective {
 public:
  Collective();
  ~Collective();
  Collective(const Collective&) = delete;
};

/// Seconds that this rank has spent in collectives so far.
double seconds_waited();

struct Activity {
  Phase phase = Phase::kStart;
  std::string name;
  std::int64_t step = -1;
  std::uint64_t collectives = 0;  ///< entered so far
  bool waiting = false;           ///< in one of them
  std::uint64_t events = 0;       ///< grows with every sign of progress
};
Activity activity();

/// Seconds that 99 of 100 steps of this process stayed below, to 19 %; 0 before 20 steps.
double slow_step_seconds();

}  // namespace cellmill::comm
