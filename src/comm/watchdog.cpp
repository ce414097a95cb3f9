#include "comm/watchdog.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <random>
#include <sstream>

#include "base/format.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "comm/report.h"
#include "comm/stacks.h"
#include "config/schema.h"

namespace cellmill::comm {
namespace {

constexpr double kBeat = 0.2;            // seconds between heartbeats, at least
constexpr double kBeatOfRank = 5e-4;     // and so many times the number of ranks
constexpr double kAnswer = 3;            // patience for a stack
constexpr double kLeaving = 2;           // and for it to leave by itself
constexpr double kUnheard = 20;          // then it is said that a rank is not heard
constexpr std::size_t kTextMax = 30000;  // of a message

double limit_of(Phase phase, double slow_step, const WatchdogOptions& o) {
  switch (phase) {
    case Phase::kStart:
      return o.start_seconds;
    case Phase::kStep:
      return o.step_seconds > 0 ? std::max(o.step_seconds, o.step_factor * slow_step) : 0;
    case Phase::kEvaluate:
      return o.evaluation_seconds;
    case Phase::kSave:
    case Phase::kClose:
      return o.save_seconds;
  }
  throw InternalError("phase");
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text.substr(0, kTextMax);
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

void describe(config::Schema& s, WatchdogOptions& o) {
  using config::not_negative;
  s.field("start_seconds", o.start_seconds,
          "without progress before the first step is done; 0: for ever", not_negative());
  s.field("step_seconds", o.step_seconds, "within a step; 0: for ever", not_negative());
  s.field("step_factor", o.step_factor, "and so many times the step that 99 of 100 stay below",
          not_negative());
  s.field("evaluation_seconds", o.evaluation_seconds, "within a batch of an evaluation",
          not_negative());
  s.field("save_seconds", o.save_seconds, "within a checkpoint, saved or loaded", not_negative());
}

struct Watchdog::Message {
  Kind kind = Kind::kBeat;
  Phase phase = Phase::kStart;
  std::int32_t about = -1, code = 0, waiting = 0;
  double standing = 0, slow_step = 0;
  std::int64_t step = -1;
  std::uint64_t collectives = 0;
};

Watchdog::Watchdog(Communicator& world) : rank_(world.rank()) {
  std::random_device chance;
  const std::uint64_t token = (static_cast<std::uint64_t>(chance()) << 32) | chance();
  agree(world, [&] { channel_.emplace(); });
  std::vector<std::string> addresses;
  std::uint64_t shared = 0;
  for (const auto& text : world.gather_texts(
           fmt::format("{} {} {} {}", token, host_name(), getpid(), channel_->addresses()))) {
    std::istringstream words(text);
    Peer peer;
    std::uint64_t its_token = 0;
    words >> its_token >> peer.host >> peer.process;
    if (peers_.empty()) shared = its_token;
    peers_.push_back(peer);
    std::string list;
    std::getline(words, list);
    addresses.push_back(list);
  }
  channel_->connect(shared, rank_, addresses);
  prepare_stacks();
  thread_ = std::jthread([this](const std::stop_token& stopping) { run(stopping); });
}

void Watchdog::set_limits(const WatchdogOptions& limits) {
  const std::scoped_lock lock(mutex_);
  limits_ = limits;
}

Watchdog::~Watchdog() {
  thread_.request_stop();
  channel_->wake();
}

void Watchdog::run(const std::stop_token& stopping) {
  sigset_t all;  // signals are the main thread's
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  stopping_ = stopping;
  const double pause = std::max(kBeat, kBeatOfRank * static_cast<double>(peers_.size()));
  Stopwatch since;
  while (!stopping.stop_requested()) {
    // A process that was stopped, or a machine that slept, has heard nobody and blames nobody.
    const double elapsed = std::min(since.lap(), 4 * pause);
    for (auto& peer : peers_) peer.silent += elapsed;
    note_own(elapsed);
    beat();
    listen(pause);
    say_unheard(elapsed);
    apply_limits();
    const std::vector<RankState> states(peers_.begin(), peers_.end());
    if (!judges(rank_, states, rank_ < 2 ? 2 : 10)) continue;
    if (const auto verdict = judge(states)) end(*verdict);
  }
  for (int again = 0; again < 3; ++again) tell_all(Kind::kLeaving, rank_, {});
}

void Watchdog::note_own(double elapsed) {
  const auto now = activity();
  auto& own = peers_[rank_];
  own.standing = now.events == events_ ? own.standing + elapsed : 0;
  events_ = now.events;
  own.heard = true;
  own.silent = 0;
  own.waiting = now.waiting;
  own.collectives = now.collectives;
  own.slow_step = slow_step_seconds();
  own.step = now.step;
  own.phase = now.phase;
  own.doing = now.name;
}

void Watchdog::apply_limits() {
  const std::scoped_lock lock(mutex_);
  for (auto& peer : peers_) peer.limit = limit_of(peer.phase, peer.slow_step, limits_);
}

void Watchdog::tell(int rank, Kind kind, int about, const std::string& text) {
  const auto& own = peers_[rank_];
  const Message message{kind,         own.phase,     about,    code_,          own.waiting,
                        own.standing, own.slow_step, own.step, own.collectives};
  channel_->send(rank, std::string(reinterpret_cast<const char*>(&message), sizeof message) + text);
}

void Watchdog::tell_all(Kind kind, int about, const std::string& text) {
  for (int r = 0; r < static_cast<int>(peers_.size()); ++r)
    if (r != rank_) tell(r, kind, about, text);
}

void Watchdog::beat() {
  const int hearers = rank_ < 2 ? static_cast<int>(peers_.size()) : 2;
  for (int r = 0; r < hearers; ++r)
    if (r != rank_ && !peers_[r].left) tell(r, Kind::kBeat, rank_, peers_[rank_].doing);
}

void Watchdog::listen(double seconds) {
  const Stopwatch watch;
  do {
    channel_->wait(std::max(0.0, seconds - watch.seconds()));
    while (const auto arrival = channel_->receive()) hear(*arrival);
  } while (watch.seconds() < seconds && !stopping_.stop_requested());
}

void Watchdog::hear(const Datagrams::Arrival& arrival) {
  auto& peer = peers_[arrival.rank];
  if (arrival.gone) {
    peer.dead = !peer.left;
    return;
  }
  Message m;
  if (arrival.message.size() < sizeof m) return;
  std::memcpy(&m, arrival.message.data(), sizeof m);
  const std::string text = arrival.message.substr(sizeof m);
  if (m.about < 0 || m.about >= static_cast<int>(peers_.size())) return;
  peer.silent = 0;
  switch (m.kind) {
    case Kind::kBeat:
      peer.heard = true;
      peer.waiting = m.waiting != 0;
      peer.standing = m.standing;
      peer.slow_step = m.slow_step;
      peer.step = m.step;
      peer.collectives = m.collectives;
      peer.phase = m.phase;
      peer.doing = text;
      break;
    case Kind::kLeaving:
      peer.left = true;
      break;
    case Kind::kAskStack:
      tell(arrival.rank, Kind::kStack, rank_, joined(stacks()));
      break;
    case Kind::kStack:
      stack_ = split(text);
      break;
    case Kind::kWake:
      tell(arrival.rank, Kind::kState, m.about, wake_up(m.about));
      break;
    case Kind::kState:
      if (state_.empty()) state_ = text;
      break;
    case Kind::kVerdict:
      leave(m.about, m.code);
  }
}

bool Watchdog::local(int rank) const {
  const auto program = [](const std::string& process) {
    std::error_code none;
    return std::filesystem::read_symlink("/proc/" + process + "/exe", none);
  };
  const auto& peer = peers_[rank];
  return rank != rank_ && peer.host == peers_[rank_].host &&
         program(std::to_string(peer.process)) == program("self");
}

std::string Watchdog::wake_up(int rank) const {
  if (!local(rank)) return {};
  const int process = peers_[rank].process;
  const auto state = kernel_state(process, process);
  syscall(SYS_tgkill, process, process, stack_signal());
  kill(process, SIGCONT);
  return state;
}

void Watchdog::kill_local(int rank) const {
  if (local(rank)) kill(peers_[rank].process, SIGKILL);
}

void Watchdog::ask_stack(int rank) {
  if (rank == rank_) {
    stack_ = stacks();
    return;
  }
  const Stopwatch watch;
  if (peers_[rank].silent > 1) {
    state_ = wake_up(rank);
    for (int r = 0; r < static_cast<int>(peers_.size()) && state_.empty(); ++r)
      if (r != rank_ && peers_[r].host == peers_[rank].host) tell(r, Kind::kWake, rank, {});
  }
  while (!stack_ && watch.seconds() < kAnswer && !stopping_.stop_requested()) {
    tell(rank, Kind::kAskStack, rank, {});
    listen(0.5);
  }
}

void Watchdog::say_unheard(double elapsed) {
  const bool due = age_ < kUnheard && age_ + elapsed >= kUnheard;
  age_ += elapsed;
  if (!due || rank_ > 1) return;
  for (std::size_t r = 0; r < peers_.size(); ++r)
    if (!peers_[r].heard && !peers_[r].left)
      log::warn(
          "no heartbeat of rank {} (host {}) has arrived over UDP: were it to hang, nobody "
          "would name it",
          r, peers_[r].host);
}

void Watchdog::end(const Verdict& verdict) {
  const Peer peer = peers_[verdict.rank];  // as it was: what is woken up goes on
  const bool dead = verdict.kind == Verdict::Kind::kDead;
  if (!dead) ask_stack(verdict.rank);
  Failure failure;
  failure.code = dead ? Exit::kPeerLost : Exit::kHang;
  failure.rank = verdict.rank;
  failure.size = static_cast<int>(peers_.size());
  failure.host = peer.host;
  failure.process = peer.process;
  failure.phase = peer.doing;
  failure.step = peer.step;
  failure.message = text_of(verdict, peer.limit, state_);
  failure.hint = hint_for(verdict);
  failure.stack = stack_.value_or(std::vector<std::string>{});
  if (failure.stack.empty())
    failure.stack = {dead ? "no stack: the process is gone" : "no stack: the rank does not answer"};
  if (stopping_.stop_requested()) return;
  code_ = static_cast<int>(failure.code);
  report_without_waiting(failure);
  for (int again = 0; again < 2; ++again) tell_all(Kind::kVerdict, verdict.rank, {});
  leave(verdict.rank, code_);
}

void Watchdog::leave(int about, int code) {
  const Stopwatch watch;  // the launcher's code is that of the first to go: ours, not SIGKILL's
  while (local(about) && watch.seconds() < kLeaving)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  kill_local(about);
  _exit(code);
}

}  // namespace cellmill::comm
