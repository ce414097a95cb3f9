#include "comm/versions.h"

namespace cellmill::comm {

Accelerators accelerators() { return {}; }

}  // namespace cellmill::comm
