#pragma once
// Start and end of the program's world, and its one catch. Rank and local rank come from MPI
// (MPI_Comm_split_type), never from the environment of Slurm. Without a launcher no MPI function is
// called. An error that leaves `body` on one rank is printed with rank, host and phase, written to
// failure.json, and ends all ranks (MPI_Abort) with its exit code; one that leaves it on all ranks
// within two seconds, or through `agree`, is printed once and all ranks end in order with its code.
#include <functional>
#include <memory>
#include <string>

#include "comm/activity.h"
#include "comm/communicator.h"
#include "comm/report.h"

namespace cellmill::comm {

class Watchdog;
struct WatchdogOptions;

struct World {
  int rank = 0, size = 1;
  int local_rank = 0, local_size = 1;  ///< place among the ranks that share this machine's memory
  std::string host;
  at::Device device = at::kCPU;              ///< where tensors live; use_cuda changes it
  std::unique_ptr<Communicator> host_world;  ///< for host tensors and texts
  /// For tensors on `device`: NCCL, or null where that is the host.
  std::unique_ptr<Communicator> device_world;
  std::shared_ptr<Watchdog> watchdog;  ///< once `watch` was called
  Communicator& tensors() { return device_world ? *device_world : *host_world; }
};

/// Watches this world until its end (comm/watchdog.h), or changes the limits of the watch;
/// collective. Where the system refuses the channel it says so, and nobody watches.
void watch(World& world, const WatchdogOptions& limits);
/// Starts MPI if launched by mpirun or srun, calls `body`, closes the world in order; returns the
/// exit code for main. The one catch. Ranks that share a machine share its cores as torch threads,
/// unless OMP_NUM_THREADS is set.
int run_world(int argc, char** argv, const std::function<int(World&)>& body);
/// Gives each rank a CUDA device of its own (the one of its place on the machine, or the only one
/// that it sees) and makes the NCCL world over them; collective. Throws UsageError where the build
/// or the machine has none, or too few.
void use_cuda(World& world);

}  // namespace cellmill::comm
