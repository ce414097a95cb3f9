#include "comm/world.h"

namespace cellmill::comm {

void use_cuda(World&) {
  throw UsageError("this cellmill was built without CUDA",
                   "run on the CPU, or build the preset cuda: cmake --workflow --preset cuda");
}

}  // namespace cellmill::comm
