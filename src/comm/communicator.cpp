#include "comm/communicator.h"

#include <ATen/ops/zeros.h>

#include <vector>

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

at::Tensor Communicator::all_to_all(const at::Tensor& rows) {
  const auto n = rows.size(0) / size();
  std::vector<std::int64_t> shape = rows.sizes().vec();
  shape.insert(shape.begin(), size());
  shape[1] = shape[0] * n;
  return all_gather(rows).view(shape).narrow(1, rank() * n, n).flatten(0, 1);
}

at::Tensor Communicator::gather(const at::Tensor& tensor, int root) {
  const auto all = all_gather(tensor);
  return rank() == root ? all : at::Tensor();
}

}  // namespace cellmill::comm
