#include "comm/host_memory.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <cstring>

#include "base/huge_memory.h"

namespace cellmill::comm {
namespace {

/// Bytes before a block, which hold its size, so that its address alone can give it back:
/// LibTorch's own products (bfloat16 through oneDNN) keep nothing else.
constexpr std::size_t kHead = 64;

void give_back(void* memory) {
  if (memory == nullptr) return;
  auto* block = static_cast<std::uint8_t*>(memory) - kHead;
  std::size_t bytes;
  std::memcpy(&bytes, block, sizeof bytes);
  c10::profiledCPUMemoryReporter().Delete(memory);
  bytes < kHugeFrom ? c10::free_cpu(block) : give_huge(block, bytes);
}

class HostMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t n) override {
    if (n == 0) return {nullptr, nullptr, &give_back, c10::kCPU};
    const std::size_t bytes = n + kHead;
    auto* memory =
        static_cast<std::uint8_t*>(bytes < kHugeFrom ? c10::alloc_cpu(bytes) : take_huge(bytes)) +
        kHead;
    std::memcpy(memory - kHead, &bytes, sizeof bytes);
    c10::profiledCPUMemoryReporter().New(memory, n);
    return {memory, memory, &give_back, c10::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, std::size_t count) const override {
    default_copy_data(to, from, count);
  }
};

}  // namespace

void keep_host_memory() {
  static HostMemory* const memory = new HostMemory;  // outlives every tensor
  c10::SetCPUAllocator(memory, /*priority=*/1);
}

}  // namespace cellmill::comm
