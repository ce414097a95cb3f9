#include "app/run_files.h"
#include "base/error.h"
#include "base/nearest.h"
#include "config/show.h"
#include "train/run_options.h"

namespace cellmill::app {

int config_command(comm::World& world, const Arguments& arguments) {
  std::string action;
  RunFiles run_files;
  config::CommandLine line("cellmill config",
                           "Shows the settings of a run: `explain` tells each value and where it "
                           "comes from,\n`dump` the whole effective run file, `help` every setting "
                           "with its default and range.");
  line.positional("ACTION", &action, "explain, dump or help");
  run_files.declare(line);
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  train::RunOptions options;
  if (action == "explain") {
    say(world, config::explain(options, run_files.read(world)));
  } else if (action == "dump") {
    config::read(options, run_files.read(world));
    say(world, config::dump(options, config::Comments::kHelp));
  } else if (action == "help") {
    say(world, config::help(options));
  } else {
    throw UsageError("cellmill config: unknown action " + action,
                     did_you_mean(action, {"explain", "dump", "help"}));
  }
  return 0;
}

}  // namespace cellmill::app
