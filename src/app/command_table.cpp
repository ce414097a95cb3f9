#include "app/command.h"
#include "base/error.h"
#include "front/command_list.h"

namespace cellmill::app {

#define DECLARATION(heading, name, summary) int name##_command(comm::World&, const Arguments&);
CELLMILL_COMMANDS(DECLARATION)
#undef DECLARATION

namespace {

int elsewhere(comm::World&, const Arguments&) {
  throw UsageError("another program beside this one does that", "start it through `cellmill`");
}

}  // namespace

std::vector<Command> command_table() {
#define ROW(heading, name, summary) {front::typed(#name), summary, name##_command},
#define ELSEWHERE(heading, name, summary) {front::typed(#name), summary, elsewhere},
  return {CELLMILL_COMMANDS(ROW) CELLMILL_PROGRAMS(ELSEWHERE)};
#undef ROW
#undef ELSEWHERE
}

}  // namespace cellmill::app
