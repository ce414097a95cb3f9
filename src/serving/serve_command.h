#pragma once
// `cellmill serve`: the arguments after that name in, the exit code out, once it has been told to
// stop. Throws what goes wrong before it listens.
#include <string>
#include <vector>

#include "comm/world.h"

namespace cellmill::serving {

int serve_command(comm::World& world, const std::vector<std::string>& arguments);

}  // namespace cellmill::serving
