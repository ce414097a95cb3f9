#pragma once
// A subcommand of the program: one file, one function, one line in front/command_list.h. The function
// gets the world and the arguments after the subcommand's name, answers --help itself (with
// config::CommandLine), throws what goes wrong, and returns the exit code.
#include <string>
#include <vector>

#include "comm/world.h"
#include "config/command_line.h"

namespace cellmill::app {

using Arguments = std::vector<std::string>;

struct Command {
  std::string name;
  std::string summary;
  int (*run)(comm::World& world, const Arguments& arguments);
};

/// In the order of `cellmill --help`.
std::vector<Command> command_table();

/// Runs the subcommand that `arguments` begins with, or answers --help and --version. Throws
/// UsageError for an unknown one, with the nearest name.
int dispatch(comm::World& world, const Arguments& arguments);

/// A text on stdout, from rank 0 alone.
void say(const comm::World& world, const std::string& text);

}  // namespace cellmill::app
