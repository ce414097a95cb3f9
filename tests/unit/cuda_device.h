#pragma once
// For tests that ask a CUDA device.
#include <ATen/Context.h>

#include <catch2/catch.hpp>

namespace cellmill {

/// Where there is none, the test has succeeded.
inline bool no_cuda_device() {
  if (at::hasCUDA() && at::detail::getCUDAHooks().deviceCount() > 0) return false;
  CATCH_SUCCEED("no CUDA device");
  return true;
}

}  // namespace cellmill
