#include <malloc.h>

#include "app/command.h"

int main(int argc, char** argv) {
  using namespace cellmill;
  // glibc maps and faults in every large buffer anew and gives it back at each free; a training
  // step frees the same [cells, genes] buffers again and again.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  mallopt(M_TOP_PAD, 64 << 20);
  return comm::run_world(argc, argv, [&](comm::World& world) {
    return app::dispatch(world, app::Arguments(argv + 1, argv + argc));
  });
}
