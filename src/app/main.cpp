#include "app/command.h"

int main(int argc, char** argv) {
  using namespace cellmill;
  return comm::run_world(argc, argv, [&](comm::World& world) {
    return app::dispatch(world, app::Arguments(argv + 1, argv + argc));
  });
}
