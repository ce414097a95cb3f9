#include "comm/world.h"

namespace cellmill::comm {

void use_cuda(World&) {
  throw UsageError(
      "this program runs on the CPU alone: cellmill was built without CUDA, or found no GPU's "
      "driver",
      "use train.device=cpu, or tools/setup on a machine with a GPU and the CUDA toolkit");
}

}  // namespace cellmill::comm
