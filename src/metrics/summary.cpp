#include "metrics/summary.h"

#include <ATen/ATen.h>

#include <limits>

namespace cellmill::metrics {

Summary::Summary(std::int64_t columns, at::Device device)
    : sums_(at::empty({4, columns}, at::TensorOptions(at::kDouble).device(device))) {
  reset();
}

void Summary::update(const at::Tensor& values) {
  const std::int64_t n = values.size(0);
  if (n == 0) return;
  const at::Tensor wide = values.to(sums_.device(), at::kDouble);
  merge(at::stack(
      {at::full_like(wide[0], static_cast<double>(n)), wide.sum(0), wide.amin(0), wide.amax(0)}));
}

void Summary::merge(const at::Tensor& state) {
  sums_.narrow(0, 0, 2) += state.narrow(0, 0, 2);
  sums_[2].copy_(at::minimum(sums_[2], state[2]));
  sums_[3].copy_(at::maximum(sums_[3], state[3]));
}

void Summary::reset() {
  sums_.zero_();
  sums_[2].fill_(std::numeric_limits<double>::infinity());
  sums_[3].fill_(-std::numeric_limits<double>::infinity());
}

std::vector<Summary::Column> Summary::value() const {
  const at::Tensor host = sums_.cpu();
  const auto at = host.accessor<double, 2>();
  std::vector<Column> columns;
  for (std::int64_t c = 0; c < host.size(1); ++c)
    columns.push_back(
        {static_cast<std::int64_t>(at[0][c]), at[1][c] / at[0][c], at[2][c], at[3][c]});
  return columns;
}

}  // namespace cellmill::metrics
