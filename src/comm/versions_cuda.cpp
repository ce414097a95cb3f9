#include <ATen/cuda/CUDAContext.h>
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <map>

#include "base/format.h"
#include "comm/versions.h"

namespace cellmill::comm {
namespace {

std::string version(int number) {  // 12080
  return fmt::format("{}.{}", number / 1000, number % 1000 / 10);
}

}  // namespace

Accelerators accelerators() {
  Accelerators found;
  found.built_in = true;
  int runtime = 0, driver = 0, nccl = 0;
  if (cudaRuntimeGetVersion(&runtime) == cudaSuccess)
    found.libraries = "CUDA runtime " + version(runtime);
  if (ncclGetVersion(&nccl) == ncclSuccess)
    found.libraries += fmt::format(", NCCL {}.{}.{}", nccl / 10000, nccl % 10000 / 100, nccl % 100);
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0) found.driver = version(driver);
  std::map<std::string, int> names;
  found.count = at::cuda::device_count();
  for (int d = 0; d < found.count; ++d)
    ++names[at::cuda::getDeviceProperties(static_cast<c10::DeviceIndex>(d))->name];
  for (const auto& [name, count] : names)
    found.devices += fmt::format("{}{} x {}", found.devices.empty() ? "" : ", ", count, name);
  return found;
}

}  // namespace cellmill::comm
