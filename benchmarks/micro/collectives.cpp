// What summing a gradient over the ranks costs, under mpirun: by messages (plain) and in the memory
// that the ranks of a machine share (fast), in turn; and the second while the rank computes
// besides, against computing and summing one after the other: what overlapping could save. JSON
// lines of rank 0, medians in milliseconds.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "base/log.h"
#include "base/stopwatch.h"
#include "benchmarks/harness/figures.h"
#include "comm/mpi_communicator.h"
#include "comm/world.h"
#include "config/command_line.h"

namespace {

using namespace cellmill;
using comm::Op;

struct Options {
  std::int64_t megabytes = 164, repeats = 9;
};

double timed(comm::Communicator& world, const std::function<void()>& run) {
  world.barrier();
  const Stopwatch watch;
  run();
  world.barrier();
  return watch.seconds();
}

void report(const comm::World& world, const Options& o, const char* name,
            const std::vector<double>& plain, const std::vector<double>& fast) {
  if (world.rank != 0) return;
  const auto slow = benchmarks::spread(plain, 1e3), quick = benchmarks::spread(fast, 1e3);
  log::say(io::Json{
      {"benchmark", "collectives"},
      {"name", name},
      {"commit", benchmarks::commit()},
      {"host", world.host},
      {"ranks", world.size},
      {"threads", at::get_num_threads()},
      {"megabytes", o.megabytes},
      {"plain_ms", slow.at("median")},
      {"fast_ms", quick.at("median")},
      {"plain", slow},
      {"fast",
       quick}}.dump());
}

void measure(comm::World& world, const Options& o) {
  auto& host = *world.host_world;
  comm::MpiCommunicator messages(MPI_COMM_WORLD, {.sharing_ranks = 1});
  const std::int64_t count = o.megabytes * 1000000 / 4;
  auto own = at::zeros({count}), shared = host.zeros(count, own.options());
  const auto a = at::rand({1024, 1024});
  const auto compute = [&] {
    for (int k = 0; k < 4; ++k) at::mm(a, a);
  };
  const auto sum = [&] { host.all_reduce(shared, Op::kSum); };
  std::vector<double> plain, fast, after, beside;
  for (std::int64_t k = 0; k <= o.repeats; ++k) {
    own.fill_(1e-3);
    shared.fill_(1e-3);
    plain.push_back(timed(host, [&] { messages.all_reduce(own, Op::kSum); }));
    fast.push_back(timed(host, sum));
    after.push_back(timed(host, [&] {
      compute();
      sum();
    }));
    beside.push_back(timed(host, [&] {
      const std::jthread summing(sum);  // MPI is called by one thread at a time
      compute();
    }));
  }
  for (auto* samples : {&plain, &fast, &after, &beside}) samples->erase(samples->begin());
  report(world, o, "sum of gradients", plain, fast);
  report(world, o, "sum while computing", after, beside);
  messages.close();
}

}  // namespace

int main(int argc, char** argv) {
  return cellmill::comm::run_world(argc, argv, [&](cellmill::comm::World& world) {
    Options o;
    config::CommandLine line("bench_collectives", "What summing gradients costs; under mpirun.");
    line.option("megabytes", &o.megabytes, "of float32", config::Need::kOptional,
                config::at_least(1));
    line.option("repeats", &o.repeats, "counted", config::Need::kOptional, config::at_least(1));
    if (!line.parse({argv + 1, argv + argc})) {
      if (world.rank == 0) log::say(line.help());
    } else if (world.size == 1) {
      throw UsageError("bench_collectives needs several ranks", "mpirun -n 2 --bind-to none ...");
    } else {
      measure(world, o);
    }
    return 0;
  });
}
