#include "app/completion.h"
#include "base/error.h"
#include "base/nearest.h"
#include "train/run_options.h"

namespace cellmill::app {

int completion_command(comm::World& world, const Arguments& arguments) {
  std::string shell;
  config::CommandLine line("cellmill completion",
                           "Prints a script that teaches a shell the subcommands, options and "
                           "settings, for example:\n  source <(cellmill completion bash)");
  line.positional("SHELL", &shell, "bash, zsh or fish");
  if (!line.parse(arguments)) {
    say(world, line.help());
    return 0;
  }
  const auto keys = config::keys(train::RunOptions{});
  if (shell == "bash")
    say(world, bash_completion(command_table(), keys));
  else if (shell == "zsh")
    say(world, zsh_completion(command_table(), keys));
  else if (shell == "fish")
    say(world, fish_completion(command_table(), keys));
  else
    throw UsageError("cellmill completion: unknown shell " + shell, did_you_mean(shell, shells()));
  return 0;
}

}  // namespace cellmill::app
