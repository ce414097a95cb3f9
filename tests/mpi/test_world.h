#pragma once
// The world that main.cpp started, for the test cases of this program. Every rank runs every case;
// expectations are computed from rank and size, so that any number of ranks is a valid test.
#include "comm/world.h"

namespace cellmill {

comm::World& test_world();

}  // namespace cellmill
