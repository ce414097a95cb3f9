#include "train/rehearsal.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/stopwatch.h"
#include "io/files.h"
#include "train/evaluate.h"
#include "train/reproducible.h"
#include "train/run_folder.h"

namespace cellmill::train {
namespace {

namespace fs = std::filesystem;

std::string gigabytes(double bytes) {
  return bytes < 1e8 ? fmt::format("{:.1f} MB", 1e-6 * bytes)
                     : fmt::format("{:.2f} GB", 1e-9 * bytes);
}

std::string duration(double seconds) {
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.1f} min", seconds / 60);
  return seconds < 172800 ? fmt::format("{:.1f} h", seconds / 3600)
                          : fmt::format("{:.1f} days", seconds / 86400);
}

data::Loader loader_of(const comm::World& world, const RunOptions& o,
                       const data::ChunkSource& source, const data::CellFilter& cells,
                       bool shuffle) {
  auto plan = data::plan_options(o.data.loader, o.train.global_batch, o.train.seed);
  plan.shuffle = shuffle;
  return {source,
          &cells,
          plan,
          o.data.loader,
          {world.rank, world.size, pass_options(o.train).micro_shards}};
}

}  // namespace

void rehearse_settings(comm::World& world, const RunOptions& o, Where where, Findings& findings) {
  if (findings.look("settings", [&] {
        set_reproducible(o,
                         where == Where::kHere ? choose_device(world, o.train.device) : at::kCPU);
        Passes(*world.host_world, o.train.seed, pass_options(o.train));
      }))
    findings.good("settings", "no mistakes; `cellmill config explain` tells each");
}

RehearsedData rehearse_data(comm::World& world, const RunOptions& o, Findings& findings) {
  RehearsedData found;
  comm::set_phase("opening data");
  data::Split split;
  const Stopwatch watch;
  const bool opened = findings.look("data", [&] {
    comm::agree(*world.host_world, [&] {
      found.source = data::open_source(o.data.source);
      split = data::make_split(found.source->index(), o.data.split);
    });
    found.training = std::count(split.train.begin(), split.train.end(), true);
    found.validation = std::count(split.validation.begin(), split.validation.end(), true);
    const auto& vocabulary = found.source->vocabulary();
    findings.good("data", fmt::format("{} cells to train on, {} to validate, {} genes, {} fields, "
                                      "{} chunks; opened in {:.2f} s",
                                      found.training, found.validation, vocabulary.genes.size(),
                                      vocabulary.fields.size(), found.source->index().size(),
                                      watch.seconds()));
  });
  if (!opened) {
    found.source.reset();
    return found;
  }
  const Stopwatch reading;
  const bool read = findings.look("first batch", [&] {
    std::int64_t cells = 0;
    comm::agree(*world.host_world, [&] {
      auto loader = loader_of(world, o, *found.source, split.train, true);
      found.epoch_steps = loader.plan().steps();
      if (const auto batch = loader.next()) cells = batch->global_cells;
    });
    findings.good("first batch",
                  fmt::format("{} cells over {} rank{}, there after {:.2f} s", cells, world.size,
                              world.size > 1 ? "s" : "", reading.seconds()));
  });
  found.steps = o.train.epochs * found.epoch_steps;
  if (o.train.max_steps > 0) found.steps = std::min(found.steps, o.train.max_steps);
  if (!read) found.source.reset();
  return found;
}

void rehearse_model(comm::World& world, const RunOptions& o, const RehearsedData& data,
                    double parameters, Findings& findings) {
  constexpr double kSmall = 64e6;
  constexpr std::int64_t kCells = 64;
  if (parameters > kSmall)
    return findings.note("model", fmt::format("{:.0f} million parameters: not made here, so that "
                                              "its settings are not tried",
                                              1e-6 * parameters));
  comm::set_phase("building the model");
  findings.look("model", [&] {
    comm::agree(*world.host_world, [&] {
      const auto model =
          models::make_model(o.model, data.source->vocabulary(), o.train.seed, at::kFloat);
      const auto split = data::make_split(data.source->index(), o.data.split);
      if (data.validation == 0 || model->needs_survey()) return;
      auto options = o;
      options.train.global_batch = std::min(kCells, o.train.global_batch);
      comm::World alone;
      auto loader = loader_of(alone, options, *data.source, split.validation, false);
      auto evaluation = model->evaluation();
      data::DeviceFeed feed(at::kCPU);
      evaluation->update(feed.move(*loader.next()), {});
      const auto scores = evaluation->scores();
      if (std::any_of(scores.begin(), scores.end(),
                      [&](const auto& s) { return s.name == o.evaluation.score; }))
        return;
      std::vector<std::string> names;
      for (const auto& score : scores) names.push_back(score.name);
      throw UsageError("evaluation.score: no score '" + o.evaluation.score + "'",
                       fmt::format("scores are {}", fmt::join(names, ", ")), Exit::kConfig);
    });
    findings.good("model", fmt::format("{}: {:.0f} parameters", o.model.name, parameters));
  });
}

void rehearse_step(const RunOptions& o, const RehearsedData& data, const Machine& machine,
                   const Work& work, double ranks, Findings& findings) {
  constexpr double kProgram = 0.5e9, kTight = 0.85;  // libtorch and its threads
  const auto at = forecast_at(work, machine, ranks);
  const double loader = 1e6 * static_cast<double>(o.data.loader.memory_mb);
  const double held = 1e-9 * (at.memory + (machine.device == "cpu" ? loader + kProgram : 0));
  auto text = fmt::format("{} a rank: {} for the model and its step", gigabytes(1e9 * held),
                          gigabytes(at.memory));
  if (machine.device == "cpu") text += fmt::format(", up to {} for the loader", gigabytes(loader));
  if (machine.memory_gb > 0) text += fmt::format("; there are {:.1f} GB", machine.memory_gb);
  const char* remedy =
      "more ranks with optimizer.shard=true, a smaller batch, or less "
      "data.loader.memory_mb";
  if (machine.memory_gb > 0 && held > machine.memory_gb)
    findings.stop("memory", text, remedy);
  else if (machine.memory_gb > 0 && held > kTight * machine.memory_gb)
    findings.warning("memory", text, remedy);
  else
    findings.good("memory", text);
  const double seconds = static_cast<double>(data.steps) * at.step;
  findings.good(
      "time", fmt::format("{}: {} steps of {:.3g} ms on {:.0f} rank{} of {}, bound by {}; an epoch "
                          "{}; evaluation and checkpoints come on top",
                          duration(seconds), data.steps, 1e3 * at.step, ranks, ranks > 1 ? "s" : "",
                          machine.name, at.bound,
                          duration(static_cast<double>(data.epoch_steps) * at.step)));
}

void rehearse_folder(comm::World& world, const RunOptions& o, const std::string& config,
                     Start start, std::int64_t steps, double parameters, Findings& findings) {
  comm::set_phase("looking at the run folder");
  findings.look("output", [&] {
    comm::agree(*world.host_world, [&] {
      if (world.rank != 0) return;
      check_run_folder(o.output.folder, config, start == Start::kResume);
      check_writable(nearest_folder(o.output.folder));
    });
    findings.good("output", o.output.folder + (fs::exists(fs::path(o.output.folder) / "config.yaml")
                                                   ? ": goes on with the run that is there"
                                                   : ": a new run"));
  });
  if (parameters <= 0) return;
  findings.look("disk", [&] {
    const double value = o.train.precision == "float64" ? 8 : 4;
    const double bytes = 3 * value * parameters;  // with both moments
    const auto every = o.checkpoint.keep_every_steps;
    const double kept =
        static_cast<double>(o.checkpoint.keep_last + 2 + (every > 0 ? steps / every : 0));
    double free = 0;
    comm::agree(*world.host_world, [&] {
      free = static_cast<double>(io::free_bytes(nearest_folder(o.output.folder)));
    });
    const auto text = fmt::format("{} a checkpoint, up to {:.0f} at a time: {}; there are {} free",
                                  gigabytes(bytes), kept, gigabytes(kept * bytes), gigabytes(free));
    const char* remedy =
        "free some space, keep fewer (checkpoint.keep_last), or name another "
        "output.folder";
    if (bytes > free)
      findings.stop("disk", text, remedy, static_cast<int>(Exit::kIo));
    else if (kept * bytes > free)
      findings.warning("disk", text, remedy);
    else
      findings.good("disk", text);
  });
}

}  // namespace cellmill::train
