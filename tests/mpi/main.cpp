// Catch2 inside the world. Ranks meet after every test case on a communicator of the tests' own: a
// rank that left a case early (CATCH_REQUIRE, an exception) ends the job instead of hanging it. All
// ranks exit alike; only rank 0 reports, and those that failed. CELLMILL_TEST_DEVICE=cuda: a CUDA
// device for each rank, with NCCL.
#define CATCH_CONFIG_RUNNER
#include <mpi.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "test_world.h"

namespace cellmill {
namespace {

constexpr int kPatienceSeconds = 20;
comm::World* world = nullptr;
MPI_Comm meeting = MPI_COMM_NULL;
std::ostringstream kept;  // what a silent rank would have said

struct Meeting : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    if (meeting == MPI_COMM_NULL) return;
    MPI_Request request;
    MPI_Ibarrier(meeting, &request);
    int all_here = 0;
    for (int ms = 0; ms < kPatienceSeconds * 1000 && !all_here; ++ms) {
      MPI_Test(&request, &all_here, MPI_STATUS_IGNORE);
      if (!all_here) usleep(1000);
    }
    if (all_here) return;
    std::cerr << kept.str() << "\nrank " << world->rank << " ended \"" << stats.testInfo.name
              << "\" and waited " << kPatienceSeconds << " s for the others\n";
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
};
CATCH_REGISTER_LISTENER(Meeting)

int run_tests(comm::World& w, int argc, char** argv) {
  world = &w;
  const char* device = std::getenv("CELLMILL_TEST_DEVICE");
  if (device && device == std::string("cuda")) comm::use_cuda(w);
  int initialized = 0;
  MPI_Initialized(&initialized);
  if (initialized) MPI_Comm_dup(MPI_COMM_WORLD, &meeting);
  std::streambuf* console = std::cout.rdbuf();
  if (w.rank != 0) std::cout.rdbuf(kept.rdbuf());
  int failed = Catch::Session().run(argc, argv);
  std::cout.rdbuf(console);
  if (failed && w.rank != 0) std::cerr << "rank " << w.rank << ":\n" << kept.str();
  if (initialized) {
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, meeting);
    MPI_Comm_free(&meeting);
  }
  return failed != 0;
}

}  // namespace

comm::World& test_world() { return *world; }

}  // namespace cellmill

int main(int argc, char** argv) {
  return cellmill::comm::run_world(
      argc, argv, [&](cellmill::comm::World& w) { return cellmill::run_tests(w, argc, argv); });
}
