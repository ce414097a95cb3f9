#include "comm/launch.h"

#include <ATen/Parallel.h>
#include <sched.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/log.h"
#include "base/stopwatch.h"
#include "comm/mpi_communicator.h"
#include "comm/solo_communicator.h"

namespace cellmill::comm {
namespace {

int environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::atoi(value) : 0;
}

/// Processes that the launcher says it started in our world; 0 if it does not say.
int announced_size() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"})
    if (const int size = environment(name)) return size;
  return 0;
}

void require_one_world(int size) {
  const int announced = announced_size();
  if (size == 1 && announced > 1)
    throw UsageError("the launcher started " + std::to_string(announced) +
                         " processes, but each is alone in its MPI world",
                     "under Slurm: srun --mpi=pmix; otherwise: mpirun of the Open MPI that "
                     "cellmill was built with");
}

/// This rank's part of the cores of its machine: a core that k ranks may use counts 1/k.
int share_of_cores(MPI_Comm machine, int& reachable) {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> users(CPU_SETSIZE);
  for (int core = 0; core < CPU_SETSIZE; ++core) users[core] = CPU_ISSET(core, &set);
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, users.data(), CPU_SETSIZE, MPI_INT, MPI_SUM, machine),
            "MPI_Allreduce");
  double share = 0;
  reachable = 0;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    reachable += users[core] > 0;
    if (CPU_ISSET(core, &set)) share += 1.0 / users[core];
  }
  return std::max(1, static_cast<int>(share + 1e-6));
}

void share_cores(const World& world, MPI_Comm machine) {
  int reachable = 0;
  const int threads = share_of_cores(machine, reachable);
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  if (std::getenv("OMP_NUM_THREADS") || world.local_size == 1) return;
  at::set_num_threads(threads);
  log::debug("{} torch threads: this rank's part of {} cores shared by {} ranks on {}", threads,
             reachable, world.local_size, world.host);
  if (world.rank == 0 && 2 * reachable <= online && !std::getenv("SLURM_JOB_ID"))
    log::warn(
        "mpirun bound the ranks on {} to {} of its {} cores; if that is not meant: mpirun "
        "--bind-to none",
        world.host, reachable, online);
}

volatile std::sig_atomic_t own_code = 0;
void leave(int) { std::_Exit(own_code); }

}  // namespace

bool under_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"})
    if (std::getenv(name)) return true;
  return false;
}

void Launch::start(int argc, char** argv, World& world) {
  if (!under_launcher()) {
    require_one_world(1);
    world.host_world = std::make_unique<SoloCommunicator>();
    return log::start(0);
  }
  int provided = 0;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
  mpi_ = true;
  MPI_Comm_rank(MPI_COMM_WORLD, &world.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &world.size);
  log::start(world.rank);
  require_one_world(world.size);
  if (provided < MPI_THREAD_SERIALIZED)
    throw UsageError("this MPI library does not support threads (MPI_THREAD_SERIALIZED)");

  MPI_Comm machine = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, world.rank, MPI_INFO_NULL,
                                &machine),
            "MPI_Comm_split_type");
  MPI_Comm_rank(machine, &world.local_rank);
  MPI_Comm_size(machine, &world.local_size);
  share_cores(world, machine);
  MPI_Comm_free(&machine);
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &farewell_), "MPI_Comm_dup");
  MPI_Comm_set_errhandler(farewell_, MPI_ERRORS_RETURN);
  world.host_world = std::make_unique<MpiCommunicator>(MPI_COMM_WORLD);
}

bool Launch::all_failed(double seconds) {
  if (farewell_ == MPI_COMM_NULL) return !mpi_;
  MPI_Request request;
  if (MPI_Ibarrier(farewell_, &request) != MPI_SUCCESS) return false;
  const Stopwatch watch;
  int done = 0;
  while (MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done &&
         watch.seconds() < seconds)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return done;
}

std::string Launch::first_words(const std::string& text) {
  return farewell_ == MPI_COMM_NULL ? text : MpiCommunicator(farewell_).broadcast_text(text, 0);
}

void Launch::finish(int code) {
  if (!mpi_) return;
  own_code = code;
  std::signal(SIGTERM, leave);
  check_mpi(MPI_Finalize(), "MPI_Finalize");
  mpi_ = false;
}

void Launch::abort(int code) {
  MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

}  // namespace cellmill::comm
