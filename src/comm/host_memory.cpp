#include "comm/host_memory.h"

#include <c10/core/CPUAllocator.h>

#include <cstring>

#include "base/huge_memory.h"

namespace cellmill::comm {
namespace {

/// Bytes before a block, which hold its size, so that its address alone can give it back.
constexpr std::size_t kHead = 64;

void give_back(void* memory) {
  auto* block = static_cast<std::uint8_t*>(memory) - kHead;
  std::size_t bytes;
  std::memcpy(&bytes, block, sizeof bytes);
  c10::profiledCPUMemoryReporter().Delete(memory);
  give_huge(block, bytes);
}

class HostMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t n) override {
    if (n < kHugeFrom) return small_->allocate(n);
    auto* block = static_cast<std::uint8_t*>(take_huge(n + kHead));
    const std::size_t bytes = n + kHead;
    std::memcpy(block, &bytes, sizeof bytes);
    c10::profiledCPUMemoryReporter().New(block + kHead, n);
    return {block + kHead, block + kHead, &give_back, c10::kCPU};
  }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    default_copy_data(to, from, count);
  }

 private:
  c10::Allocator* small_ = c10::GetDefaultCPUAllocator();
};

}  // namespace

void keep_host_memory() {
  static HostMemory* const memory = new HostMemory;  // outlives every tensor
  c10::SetCPUAllocator(memory, /*priority=*/1);
}

}  // namespace cellmill::comm
