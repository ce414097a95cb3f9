#include "comm/communicator.h"

#include <ATen/ops/zeros.h>

namespace cellmill::comm {

at::Tensor Communicator::zeros(std::int64_t count, const at::TensorOptions& options) {
  return at::zeros({count}, options);
}

}  // namespace cellmill::comm
