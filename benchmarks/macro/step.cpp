// Where the time of a training step goes: cells/s, and milliseconds for data, forward, backward,
// synchronise, optimise; and, outside of the step, for a comparison of the ranks' models. Runs
// alone or under mpirun. Cells come from the synthetic source and stay in memory after the first
// pass, so that making them is not measured; drawing a shuffled batch from them is ("data"). The
// spread is over steps; times are rank 0's, which waits for the others in "synchronise".
#include "train/step.h"

#include <ATen/Parallel.h>

#include <map>

#include "base/log.h"
#include "base/stopwatch.h"
#include "benchmarks/harness/figures.h"
#include "benchmarks/macro/model_size.h"
#include "comm/world.h"
#include "config/command_line.h"
#include "data/device_feed.h"
#include "data/loader.h"
#include "train/replicas.h"

namespace {

using namespace cellmill;
using namespace cellmill::benchmarks;

struct Options {
  std::string size = "small", device = "cpu", precision = "float32", compute = "auto",
              model = "cycle_autoencoder";
  std::int64_t batch = 512, cells = 4096, warm_up = 5, steps = 20;
  bool overlap = false, shard = false;
  train::PassOptions passes;
};

/// Seconds a step, by part; "step" is the whole.
using Samples = std::map<std::string, std::vector<double>>;

data::Batch next_batch(data::Loader& loader) {
  for (;;) {
    if (auto batch = loader.next()) return std::move(*batch);
  }
}

Samples measure(comm::World& world, const Options& o, const ModelSize& size) {
  if (o.device == "cuda") comm::use_cuda(world);
  const auto device = o.device == "cuda"
                          ? c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(world.local_rank))
                          : c10::Device(c10::kCPU);
  const auto source = open_cells(size, o.cells, /*counts=*/o.model == "factor_model");
  const auto model = open_model(size, o.compute, source->vocabulary(), o.model);
  model->to(device);
  data::DeviceFeed feed(device);
  data::PlanOptions plan;
  plan.global_batch = o.batch * world.size;
  data::LoaderOptions loading;
  loading.memory_mb = 8192;
  data::Loader loader(*source, nullptr, plan, loading,
                      {world.rank, world.size, o.passes.micro_shards});
  train::StepOptions stepping;
  stepping.precision = train::precision_of(o.precision);
  stepping.overlap = o.overlap;
  stepping.shard = o.shard;
  stepping.passes = o.passes;
  train::Stepper stepper(*model, world.tensors(), 0, stepping);
  const auto first_pass = loader.plan().steps();
  Samples samples;
  for (std::int64_t k = -first_pass - o.warm_up; k < o.steps; ++k) {
    const auto before = stepper.times();
    Stopwatch watch;
    const auto batch = feed.move(next_batch(loader));
    const double data = watch.seconds();
    if (k < -o.warm_up) continue;  // makes the cells
    stepper.step(batch, 1.0, {});
    const double step = watch.seconds();
    if (k < 0) continue;
    train::compare_replicas(*world.host_world, world.host, *model, stepper.optimisers());
    const auto& after = stepper.times();
    samples["step"].push_back(step);
    samples["compare"].push_back(watch.seconds() - step);
    samples["data"].push_back(data);
    samples["forward"].push_back(after.forward - before.forward);
    samples["backward"].push_back(after.backward - before.backward);
    samples["synchronise"].push_back(after.synchronise - before.synchronise);
    samples["optimise"].push_back(after.optimise - before.optimise);
  }
  return samples;
}

void report(const comm::World& world, const Options& o, const Samples& samples) {
  if (world.rank != 0) return;
  const double cells = static_cast<double>(o.batch * world.size);
  std::vector<double> rates;
  for (const double seconds : samples.at("step")) rates.push_back(cells / seconds);
  io::Json line = {{"benchmark", "step"},
                   {"commit", commit()},
                   {"host", world.host},
                   {"device", o.device},
                   {"precision", o.precision},
                   {"size", o.size},
                   {"compute", o.compute},
                   {"model", o.model},
                   {"overlap", o.overlap},
                   {"shard", o.shard},
                   {"micro_shards", o.passes.micro_shards},
                   {"cells_at_once", o.passes.cells_at_once},
                   {"ranks", world.size},
                   {"threads", at::get_num_threads()},
                   {"batch_per_rank", o.batch},
                   {"steps", o.steps},
                   {"peak_rss_mb", peak_mb()},
                   {"cells_per_second", spread(rates, 1)}};
  auto text = heading();
  text += row("cells/s", line.at("cells_per_second"));
  for (const char* part :
       {"step", "data", "forward", "backward", "synchronise", "optimise", "compare"}) {
    line["milliseconds"][part] = spread(samples.at(part), 1e3);
    text += row(part + std::string(" ms"), line["milliseconds"][part]);
  }
  log::say(text + line.dump());
}

int run(comm::World& world, const std::vector<std::string>& arguments) {
  Options o;
  config::CommandLine line("bench_step", "Where the time of a training step goes.");
  line.option("size", &o.size, "small, real, real256 or full", config::Need::kOptional,
              config::one_of({"small", "real", "real256", "full"}));
  line.option("compute", &o.compute, "form of the step", config::Need::kOptional,
              config::one_of({"auto", "dense", "factored"}));
  line.option("model", &o.model, "which; the factor model is as wide as the other's latent",
              config::Need::kOptional, config::one_of(models::model_names()));
  line.option("batch", &o.batch, "cells a step and rank", config::Need::kOptional,
              config::at_least(1));
  line.option("cells", &o.cells, "synthetic cells", config::Need::kOptional, config::at_least(1));
  line.option("warm-up", &o.warm_up, "steps not counted", config::Need::kOptional,
              config::at_least(0));
  line.option("steps", &o.steps, "steps counted", config::Need::kOptional, config::at_least(1));
  line.option("overlap", &o.overlap, "gradients are summed while backward runs");
  line.option("shard", &o.shard, "ranks step their share of the parameters");
  line.option("micro-shards", &o.passes.micro_shards,
              "the same bits on any number of ranks; 0: off", config::Need::kOptional,
              config::at_least(0));
  line.option("cells-at-once", &o.passes.cells_at_once, "in pieces of so many cells; 0: at once",
              config::Need::kOptional, config::at_least(0));
  line.option("device", &o.device, "cpu or cuda", config::Need::kOptional,
              config::one_of({"cpu", "cuda"}));
  line.option("precision", &o.precision, "of matrix products", config::Need::kOptional,
              config::one_of({"float32", "tf32", "bfloat16"}));
  if (!line.parse(arguments)) {
    if (world.rank == 0) log::say(line.help());
    return 0;
  }
  if (o.cells % (o.batch * world.size) != 0)
    throw UsageError("--cells must be a multiple of the global batch, " +
                     std::to_string(o.batch * world.size));
  report(world, o, measure(world, o, kSizes.at(o.size)));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return cellmill::comm::run_world(argc, argv, [&](cellmill::comm::World& world) {
    return run(world, {argv + 1, argv + argc});
  });
}
