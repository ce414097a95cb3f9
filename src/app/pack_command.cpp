#include "app/command.h"
#include "app/run_files.h"
#include "data/store/pack.h"
#include "train/run_options.h"

namespace cellmill::app {

int pack_command(comm::World& world, const Arguments& arguments) {
  RunFiles run;
  std::string input, output;
  data::PackOptions options;
  config::CommandLine line(
      "cellmill pack",
      "Writes cells into a store that is a quarter of their size and read several times as fast:\n"
      "one .cmpack file, or a folder of shards. The output is whole or absent; a killed pack,\n"
      "started again, goes on. Train on it with data.path=STORE.");
  line.option("input", &input, "cells: .h5ad, folder of .npz chunks, store (as data.path)");
  line.option("output", &output, "a file *.cmpack, or with --shard-cells a folder",
              config::Need::kRequired);
  line.option("shuffle", &options.shuffle, "put all cells in a random order");
  line.option("seed", &options.seed, "of that order");
  line.option("shard-cells", &options.shard_cells, "cells a file; 0: all in one",
              config::Need::kOptional, config::at_least(0));
  line.option("threads", &options.threads, "threads that read and code cells; 0: one a core",
              config::Need::kOptional, config::at_least(0));
  run.declare(line);
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  if (world.size > 1)
    throw UsageError("cells are packed by one process, not by " + std::to_string(world.size),
                     "leave mpirun or srun away");
  if (!input.empty()) run.settings.push_back("data.path=" + input);
  train::RunOptions settings;
  config::read(settings, run.read(world));
  options.output = output;
  say(world, data::text_of(data::pack(settings.data.source, options)));
  return 0;
}

}  // namespace cellmill::app
