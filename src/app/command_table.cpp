#include "app/command.h"

namespace cellmill::app {

// One declaration and one line a command; its body is in <name>_command.cpp.
int train_command(comm::World&, const Arguments&);
int counterfactual_command(comm::World&, const Arguments&);
int contributions_command(comm::World&, const Arguments&);
int classify_command(comm::World&, const Arguments&);
int inspect_command(comm::World&, const Arguments&);
int golden_command(comm::World&, const Arguments&);
int pack_command(comm::World&, const Arguments&);
int unpack_command(comm::World&, const Arguments&);
int config_command(comm::World&, const Arguments&);
int completion_command(comm::World&, const Arguments&);

std::vector<Command> command_table() {
  return {
      {"Train", "train", "train a model, alone or over MPI", train_command},
      {"Ask", "counterfactual", "what would these cells express under other contexts?",
       counterfactual_command},
      {"Ask", "contributions", "how much does each head contribute to each cell?",
       contributions_command},
      {"Ask", "classify", "which contexts does the model see in cells?", classify_command},
      {"Ask", "inspect", "what is in a checkpoint, a run or a store?", inspect_command},
      {"Data", "pack", "write cells into a small, fast store, shuffled if asked", pack_command},
      {"Data", "unpack", "write a store back as h5ad or npz", unpack_command},
      {"Check", "golden", "compare training steps with another implementation's", golden_command},
      {"Settings", "config", "explain, dump or list the settings of a run", config_command},
      {"Settings", "completion", "a completion script for bash, zsh or fish", completion_command},
  };
}

}  // namespace cellmill::app
