// How long a checkpoint stops the training loop: written by the loop itself ("blocking", the plain
// twin) and handed to the writer's thread ("stall"), in turn, into one folder. "write" is what the
// thread needs then. The first of each does not count; the first stall is shown by itself.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "base/stopwatch.h"
#include "benchmarks/harness/figures.h"
#include "benchmarks/macro/model_size.h"
#include "checkpoint/writer.h"
#include "comm/failure.h"
#include "config/command_line.h"
#include "train/training_state.h"

namespace {

using namespace cellmill;
using namespace cellmill::benchmarks;
namespace fs = std::filesystem;

struct Options {
  std::string size = "real", folder = fs::temp_directory_path().string();
  std::int64_t repeats = 7;
};

struct Samples {
  std::int64_t bytes = 0;
  double first_stall = 0;
  std::vector<double> blocking, stall, write;
};

Samples measure(const Options& o, const fs::path& folder) {
  const auto& size = kSizes.at(o.size);
  const auto source = open_cells(size, 512);
  const auto model = open_model(size, "auto", source->vocabulary());
  std::vector<train::AdamW> optimisers;
  for (const auto& group : model->groups()) optimisers.emplace_back(group);
  for (const auto& optimiser : optimisers)
    for (auto& [name, value] : optimiser.state()) value.copy_(at::rand(value.sizes()));
  const auto state = [&] {
    return train::to_checkpoint({}, *model, optimisers, source->vocabulary(), "");
  };

  Samples samples;
  for (const auto& [name, tensor] : state().tensors)
    samples.bytes += static_cast<std::int64_t>(tensor.nbytes());
  checkpoint::Writer writer(folder);
  writer.prepare(state());
  writer.finish();
  const auto prune = [&](std::int64_t step) { checkpoint::prune(folder, step, {}); };
  for (std::int64_t k = 0; k <= o.repeats; ++k) {
    Stopwatch watch;
    checkpoint::save(folder, 2 * k, state());
    prune(2 * k);
    const double blocking = watch.lap();
    writer.save(2 * k + 1, state(), [&, k] { prune(2 * k + 1); });
    const double stall = watch.lap();
    writer.finish();
    if (k == 0) {
      samples.first_stall = stall;
      continue;
    }
    samples.blocking.push_back(blocking);
    samples.stall.push_back(stall);
    samples.write.push_back(watch.seconds());
  }
  return samples;
}

void report(const Options& o, const Samples& samples) {
  const auto blocking = spread(samples.blocking, 1e3), stall = spread(samples.stall, 1e3),
             write = spread(samples.write, 1e3);
  const io::Json line = {
      {"benchmark", "checkpoint"},
      {"commit", commit()},
      {"host", comm::host_name()},
      {"size", o.size},
      {"threads", at::get_num_threads()},
      {"megabytes", static_cast<double>(samples.bytes) / 1e6},
      {"milliseconds", {{"blocking", blocking}, {"stall", stall}, {"write", write}}},
      {"first_stall_ms", 1e3 * samples.first_stall},
      {"stall_over_blocking",
       stall.at("median").get<double>() / blocking.at("median").get<double>()}};
  log::say(heading() + row("blocking ms", blocking) + row("stall ms", stall) +
           row("write ms", write) + line.dump());
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  config::CommandLine line("bench_checkpoint", "How long a checkpoint stops the training loop.");
  line.option("size", &o.size, "small, real, real256 or full", config::Need::kOptional,
              config::one_of({"small", "real", "real256", "full"}));
  line.option("folder", &o.folder, "on the disk that is measured");
  line.option("repeats", &o.repeats, "counted", config::Need::kOptional, config::at_least(1));
  if (!line.parse({argv + 1, argv + argc})) return log::say(line.help()), 0;
  log::set_console_level(log::Level::kWarn);
  const auto folder = fs::path(o.folder) / ("bench_checkpoint_" + std::to_string(getpid()));
  const auto samples = measure(o, folder);
  fs::remove_all(folder);
  report(o, samples);
}
