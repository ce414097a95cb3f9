#include "app/command.h"

namespace cellmill::app {

// One declaration and one line a command; its body is in <name>_command.cpp.
int train_command(comm::World&, const Arguments&);
int golden_command(comm::World&, const Arguments&);

std::vector<Command> command_table() {
  return {
      {"Train", "train", "train a model, alone or over MPI", train_command},
      {"Check", "golden", "compare training steps with another implementation's", golden_command},
  };
}

}  // namespace cellmill::app
