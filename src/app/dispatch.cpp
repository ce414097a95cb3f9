#include "app/command.h"
#include "base/error.h"
#include "base/log.h"
#include "base/nearest.h"
#include "front/overview.h"

namespace cellmill::app {

void say(const comm::World& world, const std::string& text) {
  if (world.rank == 0) log::say(text);
}

int dispatch(comm::World& world, const Arguments& arguments) {
  const std::string first = arguments.empty() ? "" : arguments[0];
  if (const std::string answer = front::answer(first); !answer.empty()) {
    say(world, answer);
    return 0;
  }
  std::vector<std::string> names;
  for (const Command& command : command_table()) {
    if (command.name == first) return command.run(world, {arguments.begin() + 1, arguments.end()});
    names.push_back(command.name);
  }
  throw UsageError("unknown command " + first, did_you_mean(first, names));
}

}  // namespace cellmill::app
