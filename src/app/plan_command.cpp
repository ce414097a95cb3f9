#include <algorithm>

#include "app/command.h"
#include "app/run_files.h"
#include "base/error.h"
#include "config/show.h"
#include "train/forecast_report.h"
#include "train/machine_probe.h"
#include "train/run_options.h"
#include "train/trainer.h"

namespace cellmill::app {
namespace {

constexpr const char* kThis = "this";

/// What stands after --machine: a name, files and settings.
struct MachineWords {
  std::string name = kThis;
  RunFiles files;

  explicit MachineWords(const std::vector<std::string>& words) {
    for (const auto& word : words) {
      if (word.find('=') != std::string::npos) {
        files.settings.push_back(word);
      } else if (word.ends_with(".yaml") || word.ends_with(".yml")) {
        files.files.push_back(word);
      } else {
        name = word;
        if (name != kThis) train::known_machine(name);
      }
    }
  }
};

/// The settings that the user gave stand on top of what is known or measured.
train::Machine find_machine(comm::World& world, const MachineWords& words,
                            const config::Layers& given, const train::ProbePlan& probe) {
  train::Machine machine;
  if (words.name != kThis) {
    machine = train::known_machine(words.name);
  } else if (given.files.empty()) {
    comm::set_phase("measuring this machine");
    machine = train::measure_machine(world, probe);
  }
  config::read(machine, given);
  return machine;
}

train::Work work_of(const train::RunOptions& o, const data::ChunkSource& source, double cells) {
  constexpr double kPackedEntry = 2.1;  // bytes, benchmarks/README.md: made cells are in no file
  const auto& index = source.index();
  const auto total = static_cast<double>(index.back().first_cell + index.back().rows);
  const auto rows = source.reads_rows() ? std::min<std::int64_t>(index[0].rows, 64) : index[0].rows;
  data::Chunk chunk;
  const auto bytes = static_cast<double>(source.read(0, 0, rows, chunk));
  train::Work work;
  work.cells = cells;
  work.nonzeros = std::max(1.0, static_cast<double>(source.entries()) / total);
  work.bytes_per_cell =
      bytes > 0 ? bytes / static_cast<double>(rows) : kPackedEntry * work.nonzeros;
  work.loader_threads = o.data.loader.threads;
  work.precision = o.train.precision;
  work.shard = o.optimizer.shard;
  work.forms = [&o, &source](const models::StepShape& shape) {
    return models::step_forms(o.model, source.vocabulary(), shape);
  };
  return work;
}

train::ProbePlan probe_of(const train::RunOptions& o, const data::ChunkSource& source,
                          const train::Work& work) {
  const auto forms = work.forms({work.cells, work.nonzeros, 2, true}).forms;
  const auto& cost = forms.back().cost;  // its sparse products are with all weights over genes
  const auto columns =
      static_cast<std::int64_t>(cost.sparse_flop / (4 * work.cells * work.nonzeros));
  const auto genes = static_cast<std::int64_t>(source.vocabulary().genes.size());
  train::ProbePlan probe;
  probe.batch = static_cast<std::int64_t>(work.cells);
  probe.shape = {probe.batch, genes, std::max<std::int64_t>(1, columns),
                 static_cast<std::int64_t>(work.nonzeros), work.precision == "bfloat16"};
  probe.summed_bytes = cost.summed;
  probe.source = &source;
  probe.source_options = o.data.source;
  probe.loader = o.data.loader;
  return probe;
}

}  // namespace

int plan_command(comm::World& world, const Arguments& arguments) {
  RunFiles run;
  std::vector<std::string> machine_words;
  std::int64_t cells = 0, batch = 0, most = 1024;
  bool json = false, show_machine = false;
  config::CommandLine line(
      "cellmill plan",
      "What a run will need before it is started: memory, work and time of a step in each form,\n"
      "what binds it, and the same for more ranks, until scaling ends. Cells are counted, not\n"
      "trained on; data.format=synthetic stands for data that are elsewhere.");
  run.declare(line);
  line.option("machine", &machine_words,
              "a100, h100, this (measured now, the default) or FILE.yaml; KEY=VALUE on top, as in "
              "disk_gbs=5");
  line.option("batch", &batch, "cells a step and rank; 0: train.global_batch over the ranks",
              config::Need::kOptional, config::at_least(0));
  line.option("cells", &cells, "cells of the data set; 0: 44 and 162 million",
              config::Need::kOptional, config::at_least(0));
  line.option("ranks", &most, "up to so many", config::Need::kOptional, config::at_least(1));
  line.option("json", &json, "everything, as JSON");
  line.option("show-machine", &show_machine, "only the machine, as a file for --machine");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  const MachineWords words(machine_words);
  const auto given = words.files.read(world);
  train::Machine checked;
  config::read(checked, given);
  const bool measured = words.name == kThis && given.files.empty();
  if (show_machine && !measured) {
    say(world, config::dump(find_machine(world, words, given, {}), config::Comments::kHelp));
    return 0;
  }
  train::RunOptions o;
  config::read(o, run.read(world));
  std::unique_ptr<data::ChunkSource> source;
  comm::agree(*world.host_world, [&] {
    source = data::open_source(o.data.source);
    if (source->index().empty())
      throw DataError({o.data.source.path, "", "cells", "none"}, "nothing to plan for");
  });
  if (measured) train::choose_device(world, o.train.device);
  if (batch == 0) batch = std::max<std::int64_t>(1, o.train.global_batch / world.size);
  const auto work = work_of(o, *source, static_cast<double>(batch));
  const auto machine = find_machine(world, words, given, probe_of(o, *source, work));
  if (show_machine) {
    say(world, config::dump(machine, config::Comments::kHelp));
    return 0;
  }
  auto report = train::make_report(machine, work, static_cast<double>(most));
  report.model = o.model.name;
  report.genes = static_cast<std::int64_t>(source->vocabulary().genes.size());
  report.data_sets = {44e6, 162e6};
  if (cells > 0) report.data_sets = {static_cast<double>(cells)};
  say(world, json ? train::json_of(report).dump(1) : train::text_of(report));
  return 0;
}

}  // namespace cellmill::app
