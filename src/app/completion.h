#pragma once
// Shell completion, written from the tables that the program itself reads: subcommands from the
// command table, keys and values of --set from the schema. The options of a subcommand are asked of
// `cellmill COMMAND --help` when the user presses the key.
#include <string>
#include <vector>

#include "app/command.h"
#include "config/show.h"

namespace cellmill::app {

/// What stands after `cellmill config` and `cellmill completion`.
std::vector<std::string> config_actions();
std::vector<std::string> shells();

std::string bash_completion(const std::vector<Command>& commands,
                            const std::vector<config::Key>& keys);
/// The same through zsh's bashcompinit.
std::string zsh_completion(const std::vector<Command>& commands,
                           const std::vector<config::Key>& keys);
std::string fish_completion(const std::vector<Command>& commands,
                            const std::vector<config::Key>& keys);

}  // namespace cellmill::app
