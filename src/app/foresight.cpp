#include "app/foresight.h"

#include <algorithm>

#include "train/trainer.h"

namespace cellmill::app {

void MachineWords::declare(config::CommandLine& line, std::vector<std::string>& words) {
  line.option("machine", &words,
              "a100, h100, this (measured now, the default) or FILE.yaml; KEY=VALUE on top, as in "
              "disk_gbs=5");
}

MachineWords::MachineWords(const std::vector<std::string>& words) {
  for (const auto& word : words) {
    if (word.find('=') != std::string::npos) {
      files_.settings.push_back(word);
    } else if (word.ends_with(".yaml") || word.ends_with(".yml")) {
      files_.files.push_back(word);
    } else {
      name_ = word;
      if (name_ != kThis) train::known_machine(name_);
    }
  }
}

void MachineWords::read(comm::World& world) {
  given_ = files_.read(world);
  train::Machine checked;
  config::read(checked, given_);
}

train::Machine MachineWords::find(comm::World& world, const train::ProbePlan& probe) const {
  train::Machine machine;
  if (name_ != kThis) {
    machine = train::known_machine(name_);
  } else if (given_.files.empty()) {
    comm::set_phase("measuring this machine");
    machine = train::measure_machine(world, probe);
  }
  config::read(machine, given_);  // on top of what is known or measured
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

}  // namespace cellmill::app
