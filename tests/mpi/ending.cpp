// One rank, or all, end in the way that the arguments name: ending <how> <who> <folder>, where who
// is a rank, "all" or "agree:RANK". The other ranks wait in a collective. endings.py looks on.
#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>

#include "base/log.h"
#include "comm/world.h"

using namespace cellmill;

namespace {

void fall(const std::string& how) {
  if (how == "data")
    throw DataError({"cells.npz", "row 7", "a number", "NaN"}, "bad value", "fix it");
  if (how == "usage") throw UsageError("no such option --x");
  if (how == "standard") throw std::runtime_error("plain \"quoted\"\ttext");
  if (how == "torch") at::zeros({2}).view({3});
  if (how == "memory") throw std::bad_alloc();
}

}  // namespace

int main(int argc, char** argv) {
  return comm::run_world(argc, argv, [&](comm::World& world) {
    const std::string how = argv[1], who = argv[2];
    comm::set_failure_folder(argv[3]);
    comm::set_phase("step 12");
    if (how == "requeue") return 75;
    if (how == "threads") return log::say(fmt::format("threads {}", at::get_num_threads())), 0;
    if (who == "all") fall(how);
    if (who.starts_with("agree:"))
      comm::agree(*world.host_world, [&] {
        if (world.rank == std::stoi(who.substr(6))) fall(how);
      });
    else if (who == std::to_string(world.rank))
      fall(how);
    at::Tensor x = at::zeros({1 << 20});
    for (int i = 0; i < (how == "none" ? 3 : 1000000); ++i)
      world.host_world->all_reduce(x, comm::Op::kSum);
    log::info("all done");
    return 0;
  });
}
