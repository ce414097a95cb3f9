#include "base/error.h"
#include "data/device_feed.h"

namespace cellmill::data {

struct DeviceFeed::State {};

DeviceFeed::DeviceFeed(at::Device device) {
  if (!device.is_cpu())
    throw UsageError("device " + device.str() + ": this program was built for the CPU alone",
                     "build the preset cuda, or use device: cpu", Exit::kConfig);
}
DeviceFeed::~DeviceFeed() = default;
DeviceFeed::DeviceFeed(DeviceFeed&&) noexcept = default;

Batch DeviceFeed::move(const Batch& host) { return host; }

}  // namespace cellmill::data
