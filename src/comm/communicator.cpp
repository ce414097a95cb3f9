#include "comm/communicator.h"

#include <ATen/ops/zeros.h>

namespace cellmill::comm {

at::Tensor Communicator::zeros(std::int64_t count, const at::TensorOptions& options) {
  return at::zeros({count}, options);
}

void Communicator::reduce_scatter(at::Tensor& flat) { all_reduce(flat, Op::kSum); }

void Communicator::gather_shares(at::Tensor& flat) {
  if (size() == 1) return;
  const auto share = flat.numel() / size();
  flat.copy_(all_gather(flat.narrow(0, rank() * share, share)));
}

at::Tensor Communicator::gather(const at::Tensor& tensor, int root) {
  const auto all = all_gather(tensor);
  return rank() == root ? all : at::Tensor();
}

}  // namespace cellmill::comm
