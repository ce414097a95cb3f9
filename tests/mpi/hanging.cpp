// One rank dies or hangs in a phase while the others wait for it: hanging <how> <rank> <phase>
// <folder> <limit in seconds>. hangs.py looks on.
#include <ATen/ops/zeros.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/log.h"
#include "base/stop.h"
#include "comm/watchdog.h"
#include "comm/world.h"

namespace cellmill {
namespace {

constexpr std::int64_t kCalm = 40;  // collectives before it happens: a second

[[gnu::noinline]] void read_blocked_disk(const std::string& folder) {
  const std::string fifo = folder + "/fifo";
  mkfifo(fifo.c_str(), 0600);
  const int file = ::open(fifo.c_str(), O_RDONLY);  // nobody ever writes
  ::close(file);
}

[[gnu::noinline]] void compute_for_ever() {
  for (std::uint64_t k = 0;; ++k) {
    asm volatile("" : "+r"(k));
  }
}

/// When it happened goes into a file, for who looks on.
[[gnu::noinline]] void happen(const std::string& how, const std::string& folder) {
  std::ofstream(folder + "/happened")
      << std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  if (how == "kill") raise(SIGKILL);
  if (how == "exit") std::_Exit(1);
  if (how == "exit0") std::exit(0);
  if (how == "segv") raise(SIGSEGV);
  if (how == "throw") throw std::runtime_error("thrown on one rank");
  if (how == "stop") raise(SIGSTOP);
  if (how == "read") read_blocked_disk(folder);
  if (how == "compute") compute_for_ever();
  if (how == "thread") std::jthread([&] { read_blocked_disk(folder); }).join();
  if (how == "nap") std::this_thread::sleep_for(std::chrono::milliseconds(1500));
}

int live(comm::World& world, char** argv) {
  const std::string how = argv[1], phase = argv[3], folder = argv[4];
  const bool here = std::stoi(argv[2]) == world.rank;
  const double limit = std::stod(argv[5]);
  install_stop_signals();  // as training does: the launcher asks before it kills
  comm::watch(world, {limit, limit, 0, limit, limit});
  comm::set_failure_folder(folder);
  at::Tensor x = at::zeros({1000});
  for (std::int64_t k = 0; k < (phase == "long" ? 1000000 : 2 * kCalm); ++k) {
    if (phase == "step" || phase == "long")
      comm::set_phase("step " + std::to_string(k), comm::Phase::kStep, k);
    if (k == kCalm / 2 && phase == "start") comm::set_phase("opening data");
    if (k == kCalm / 2 && phase == "save")
      comm::set_phase("saving at step 20", comm::Phase::kSave, 20);
    if (k == kCalm / 2 && phase == "close")
      comm::set_phase("closing the run", comm::Phase::kClose, 20);
    if (k == kCalm && here) happen(how, folder);
    if (k == kCalm && phase == "long" && world.rank == 0) std::ofstream(folder + "/running");
    world.host_world->all_reduce(x, comm::Op::kSum);
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  log::info("all done");
  return 0;
}

}  // namespace
}  // namespace cellmill

int main(int argc, char** argv) {
  return cellmill::comm::run_world(
      argc, argv, [&](cellmill::comm::World& world) { return cellmill::live(world, argv); });
}
