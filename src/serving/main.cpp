#include <algorithm>

#include "serving/serve_command.h"

int main(int argc, char** argv) {
  using namespace cellmill;
  return comm::run_world(argc, argv, [&](comm::World& world) {
    return serving::serve_command(world, {argv + std::min(argc, 2), argv + argc});
  });
}
