#include "app/command.h"
#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "base/nearest.h"

namespace cellmill::app {
namespace {

std::string overview(const std::vector<Command>& table) {
  std::string text =
      "cellmill trains models of gene expression, and answers questions with them.\n"
      "usage: cellmill COMMAND ...    (cellmill COMMAND --help tells its options)\n"
      "       mpirun -n N cellmill train ...    (one process a GPU or socket)\n";
  std::string group;
  for (const Command& command : table) {
    if (command.group != group) text += "\n" + (group = command.group) + "\n";
    text += fmt::format("  {:<16}  {}\n", command.name, command.summary);
  }
  return text.substr(0, text.size() - 1);
}

}  // namespace

void say(const comm::World& world, const std::string& text) {
  if (world.rank == 0) log::say(text);
}

int dispatch(comm::World& world, const Arguments& arguments) {
  const std::vector<Command> table = command_table();
  const std::string first = arguments.empty() ? "--help" : arguments[0];
  if (first == "--help" || first == "-h" || first == "help") {
    say(world, overview(table));
    return 0;
  }
  if (first == "--version") {
    say(world, "cellmill " CELLMILL_VERSION);
    return 0;
  }
  std::vector<std::string> names;
  for (const Command& command : table) {
    if (command.name == first) return command.run(world, {arguments.begin() + 1, arguments.end()});
    names.push_back(command.name);
  }
  throw UsageError("unknown command " + first, did_you_mean(first, names));
}

}  // namespace cellmill::app
