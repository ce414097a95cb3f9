#pragma once
// Large buffers for random access: 2 MB pages asked for where the kernel grants them (madvise), so
// that gathering rows from them does not wait for page tables.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cellmill::nn {

/// Uninitialised, contiguous; on the host aligned to a huge page, elsewhere as at::empty.
at::Tensor huge_empty(const std::vector<std::int64_t>& shape, const at::TensorOptions& options);

}  // namespace cellmill::nn
