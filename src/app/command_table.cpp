#include "app/command.h"
#include "front/command_list.h"

namespace cellmill::app {

#define DECLARATION(heading, name, summary) int name##_command(comm::World&, const Arguments&);
CELLMILL_COMMANDS(DECLARATION)
#undef DECLARATION

std::vector<Command> command_table() {
#define ROW(heading, name, summary) {front::typed(#name), summary, name##_command},
  return {CELLMILL_COMMANDS(ROW)};
#undef ROW
}

}  // namespace cellmill::app
