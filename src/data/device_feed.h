#pragma once
// Moves batches to the device that the model is on. On CUDA the copy goes through pinned memory on
// a stream of its own, so it overlaps with the computation that is already enqueued; the current
// stream waits for it before it runs anything enqueued later. Cell numbers stay on the host. One
// thread may use a feed.
#include <ATen/core/Tensor.h>

#include <memory>

#include "data/batch.h"

namespace cellmill::data {

class DeviceFeed {
 public:
  /// Throws UsageError (78) for a device that this build cannot feed.
  explicit DeviceFeed(at::Device device);
  ~DeviceFeed();
  DeviceFeed(DeviceFeed&&) noexcept;
  /// The batch on the device; for the CPU the same tensors. Does not wait for the copy: to hide it,
  /// move the next batch before asking for a result of this one.
  Batch move(const Batch& host);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cellmill::data
