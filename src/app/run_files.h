#pragma once
// The run files and settings that a user names on the command line, the same on every rank.
#include "app/command.h"
#include "config/read.h"

namespace cellmill::app {

/// Declares --config and --set.
struct RunFiles {
  std::vector<std::string> files;
  std::vector<std::string> settings;
  void declare(config::CommandLine& line);
  /// Rank 0 reads the files and broadcasts their text. Collective; throws DataError on every rank.
  config::Layers read(comm::World& world) const;
};

}  // namespace cellmill::app
