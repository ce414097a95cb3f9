#pragma once
// Large tensors for random access, of 2 MB pages where the kernel grants them (base/huge_memory.h),
// so that gathering rows from them does not wait for page tables.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cellmill::nn {

/// Uninitialised, contiguous; on the host aligned to 64 bytes, elsewhere as at::empty.
at::Tensor huge_empty(const std::vector<std::int64_t>& shape, const at::TensorOptions& options);

}  // namespace cellmill::nn
