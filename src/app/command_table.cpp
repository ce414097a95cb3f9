#include "app/command.h"

namespace cellmill::app {

// One declaration and one line a command; its body is in <name>_command.cpp.

std::vector<Command> command_table() { return {}; }

}  // namespace cellmill::app
