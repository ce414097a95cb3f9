#include "nn/huge_pages.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <sys/mman.h>

#include <cstdlib>
#include <functional>
#include <new>
#include <numeric>

namespace cellmill::nn {

at::Tensor huge_empty(const std::vector<std::int64_t>& shape, const at::TensorOptions& options) {
  constexpr std::size_t kHuge = std::size_t{2} << 20;
  const auto elements =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<std::int64_t>());
  const auto bytes = static_cast<std::size_t>(elements) * options.dtype().itemsize();
  if (options.device().type() != c10::kCPU || bytes < kHuge) return at::empty(shape, options);
  const std::size_t whole = (bytes + kHuge - 1) / kHuge * kHuge;
  void* memory = std::aligned_alloc(kHuge, whole);
  if (!memory) throw std::bad_alloc();
  madvise(memory, whole, MADV_HUGEPAGE);  // a wish: small pages serve as well
  return at::from_blob(
      memory, shape, [](void* p) { std::free(p); }, options);
}

}  // namespace cellmill::nn
