#include "app/command.h"
#include "base/format.h"
#include "data/store/unpack.h"

namespace cellmill::app {

int unpack_command(comm::World& world, const Arguments& arguments) {
  std::string input, output;
  data::UnpackOptions options;
  config::CommandLine line("cellmill unpack",
                           "Writes a store of cellmill pack back, bit for bit: expression, gene "
                           "names and labels.");
  line.option("input", &input, "a .cmpack file, or a folder of shards", config::Need::kRequired);
  line.option("output", &output, "X.h5ad, or a folder for npz, csv and genes.txt",
              config::Need::kRequired);
  line.option("original-order", &options.original_order,
              "cells of a shuffled store in the order in which they were packed");
  line.option("file-cells", &options.file_cells, "cells of an .npz", config::Need::kOptional,
              config::at_least(1));
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  if (world.size > 1)
    throw UsageError("a store is unpacked by one process, not by " + std::to_string(world.size),
                     "leave mpirun or srun away");
  options.input = input;
  options.output = output;
  const auto report = data::unpack(options);
  say(world, fmt::format("{}: {} cells, {} entries; {:.1f} s", output, report.cells, report.entries,
                         report.seconds));
  return 0;
}

}  // namespace cellmill::app
