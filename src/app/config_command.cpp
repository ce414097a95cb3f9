#include "app/completion.h"
#include "app/run_files.h"
#include "base/error.h"
#include "base/format.h"
#include "base/nearest.h"
#include "config/show.h"
#include "train/run_options.h"

namespace cellmill::app {

int config_command(comm::World& world, const Arguments& arguments) {
  std::string action;
  RunFiles run_files;
  config::CommandLine line("cellmill config",
                           "Shows the settings of a run: `explain` tells each value and where it "
                           "comes from,\n`check` every mistake at once (exit code 78), `dump` the "
                           "whole effective run file,\n`help` every setting with its default and "
                           "range.");
  line.positional("ACTION", &action, fmt::format("{}", fmt::join(config_actions(), ", ")));
  run_files.declare(line);
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  train::RunOptions options;
  if (action == "explain") {
    say(world, config::explain(options, run_files.read(world)));
  } else if (action == "check") {
    const auto layers = run_files.read(world);
    const auto defaults = config::dump(options);
    config::read(options, layers);
    const auto changed =
        config::differences({"defaults", defaults}, {"settings", config::dump(options)}).size();
    say(world, fmt::format("no mistakes; {} setting{} not at the default", changed,
                           changed == 1 ? "" : "s"));
  } else if (action == "dump") {
    config::read(options, run_files.read(world));
    say(world, config::dump(options, config::Comments::kHelp));
  } else if (action == "help") {
    say(world, config::help(options));
  } else {
    throw UsageError("cellmill config: unknown action " + action,
                     did_you_mean(action, config_actions()));
  }
  return 0;
}

}  // namespace cellmill::app
