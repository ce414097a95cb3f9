#include "app/command.h"

namespace cellmill::app {

// One declaration and one line a command; its body is in <name>_command.cpp.
int train_command(comm::World&, const Arguments&);
int golden_command(comm::World&, const Arguments&);
int config_command(comm::World&, const Arguments&);
int completion_command(comm::World&, const Arguments&);

std::vector<Command> command_table() {
  return {
      {"Train", "train", "train a model, alone or over MPI", train_command},
      {"Check", "golden", "compare training steps with another implementation's", golden_command},
      {"Settings", "config", "explain, dump or list the settings of a run", config_command},
      {"Settings", "completion", "a completion script for bash, zsh or fish", completion_command},
  };
}

}  // namespace cellmill::app
