#include <algorithm>

#include "app/foresight.h"
#include "base/error.h"
#include "config/show.h"
#include "train/forecast_report.h"
#include "train/trainer.h"

namespace cellmill::app {
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
  MachineWords::declare(line, machine_words);
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
  MachineWords words(machine_words);
  words.read(world);
  if (show_machine && !words.measured()) {
    say(world, config::dump(words.find(world, {}), config::Comments::kHelp));
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
  if (words.measured()) train::choose_device(world, o.train.device);
  if (batch == 0) batch = std::max<std::int64_t>(1, o.train.global_batch / world.size);
  const auto work = work_of(o, *source, static_cast<double>(batch));
  const auto machine = words.find(world, probe_of(o, *source, work));
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
