#include <ATen/core/Tensor.h>
#include <ATen/cuda/CUDAEvent.h>
#include <ATen/ops/empty.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "base/error.h"
#include "data/device_feed.h"

namespace cellmill::data {

struct DeviceFeed::State {
  at::Device device;
  c10::cuda::CUDAStream copies;
  at::cuda::CUDAEvent copied;
};

DeviceFeed::DeviceFeed(at::Device device) {
  if (device.is_cpu()) return;
  if (!device.is_cuda())
    throw UsageError("device " + device.str() + ": neither cpu nor cuda", {}, Exit::kConfig);
  state_ = std::make_unique<State>(
      State{device, c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index()), {}});
}
DeviceFeed::~DeviceFeed() = default;
DeviceFeed::DeviceFeed(DeviceFeed&&) noexcept = default;

Batch DeviceFeed::move(const Batch& host) {
  if (!state_) return host;
  Batch batch = host;
  at::Tensor* const tensors[] = {&batch.indptr, &batch.indices, &batch.values, &batch.labels};
  {
    // Allocating on the copy stream keeps the allocator from handing out memory that kernels of the
    // compute stream still use.
    const c10::cuda::CUDAStreamGuard guard(state_->copies);
    for (at::Tensor* tensor : tensors) {
      const at::Tensor staged = tensor->numel() > 0 ? tensor->pin_memory() : *tensor;
      *tensor = staged.to(state_->device, /*non_blocking=*/true);
    }
    state_->copied.record(state_->copies);
  }
  const auto compute = c10::cuda::getCurrentCUDAStream(state_->device.index());
  state_->copied.block(compute);
  for (at::Tensor* tensor : tensors) tensor->record_stream(compute);
  return batch;
}

}  // namespace cellmill::data
