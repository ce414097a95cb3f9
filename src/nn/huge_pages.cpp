#include "nn/huge_pages.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <functional>
#include <numeric>

#include "base/huge_memory.h"

namespace cellmill::nn {

at::Tensor huge_empty(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  const auto elements =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<std::int64_t>());
  const auto bytes = static_cast<std::size_t>(elements) * options.dtype().itemsize();
  if (options.device().type() != c10::kCPU || bytes < kHugeFrom) return at::empty(shape, options);
  return at::from_blob(
      take_huge(bytes), shape, [bytes](void* memory) { give_huge(memory, bytes); }, options);
}

}  // namespace cellmill::nn
