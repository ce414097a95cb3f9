#pragma once
// Ends a world of ranks in which one is dead or hangs, and names it. A thread of each rank sends
// heartbeats over UDP (never MPI) that say phase, step, and whether the rank works or waits in a
// collective; ranks 0 and 1 hear all and judge (comm/judgement.h). The verdict, with the stack of
// the rank it is about, is printed once and written to failure.json; then every rank leaves without
// destructors, with code 72 (hang) or 71 (a rank is gone), and what is stopped is killed. A rank
// whose heartbeats never arrive (a firewall) is left out, and that is said once. Time in which this
// whole process was stopped or in a debugger does not count; others under a debugger do.
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "comm/activity.h"
#include "comm/communicator.h"
#include "comm/datagrams.h"
#include "comm/failure.h"
#include "comm/judgement.h"

namespace cellmill::config {
class Schema;
}

namespace cellmill::comm {

/// Seconds without progress before a rank counts as hanging, by phase; 0: never.
struct WatchdogOptions {
  double start_seconds = 300;
  double step_seconds = 30;
  double step_factor = 8;  ///< and at least so many times the step that 99 of 100 stay below
  double evaluation_seconds = 600;
  double save_seconds = 600;
};
void describe(config::Schema& schema, WatchdogOptions& options);

class Watchdog {
 public:
  /// Exchanges addresses over `world`, collective, and starts the thread. Throws Error (74) on all
  /// ranks if one cannot open its channel.
  explicit Watchdog(Communicator& world);
  /// Tells the others that this rank ends by itself, and stops.
  ~Watchdog();
  void set_limits(const WatchdogOptions& limits);

 private:
  struct Peer : RankState {
    std::string host, doing = "starting";
    Phase phase = Phase::kStart;
    double slow_step = 0;
    int process = 0;
    std::int64_t step = -1;
  };
  enum class Kind : std::int32_t { kBeat, kLeaving, kAskStack, kStack, kWake, kState, kVerdict };
  struct Message;  // fixed part; a text follows

  void run(const std::stop_token& stopping);
  void note_own(double elapsed);
  /// A rank is judged by the limits of this one: what it said last may be older than its own.
  void apply_limits();
  void tell(int rank, Kind kind, int about, const std::string& text);
  void tell_all(Kind kind, int about, const std::string& text);
  void beat();
  void listen(double seconds);
  void hear(const Datagrams::Arrival& arrival);
  bool local(int rank) const;
  /// A stopped process of this host notes its stack and goes on; what it was in before.
  std::string wake_up(int rank) const;
  void kill_local(int rank) const;
  void ask_stack(int rank);
  void say_unheard(double elapsed);
  /// Leaves with the code, once the rank that the verdict is about has, or was killed.
  [[noreturn]] void leave(int about, int code);
  /// Returns only if this rank ends by itself meanwhile.
  void end(const Verdict& verdict);

  std::mutex mutex_;
  WatchdogOptions limits_;
  std::optional<Datagrams> channel_;
  std::vector<Peer> peers_;
  int rank_ = 0, code_ = 0;
  std::uint64_t events_ = 0;
  double age_ = 0;     // of this watch
  std::string state_;  // answers, while a verdict is prepared:
  std::optional<std::vector<std::string>> stack_;
  std::stop_token stopping_;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace cellmill::comm
