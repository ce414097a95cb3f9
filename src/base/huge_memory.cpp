#include "base/huge_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <vector>

namespace cellmill {
namespace {

constexpr std::size_t kPage = std::size_t{2} << 20, kSlab = std::size_t{64} << 20;

/// Eight sizes between a power of two and the next.
std::size_t rounded(std::size_t bytes) {
  const std::size_t step =
      std::max<std::size_t>(std::bit_floor(std::max(bytes, kHugeFrom)) / 8, 64);
  return (bytes + step - 1) / step * step;
}

struct Store {
  std::mutex mutex;
  std::map<std::size_t, std::vector<void*>> free;  // by rounded size
  std::uint8_t *next = nullptr, *end = nullptr;    // of the newest slab

  void add_slab(std::size_t bytes) {
    const std::size_t size = (std::max(bytes, kSlab) + kPage - 1) / kPage * kPage;
    void* raw =
        ::mmap(nullptr, size + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) throw std::bad_alloc();
    const auto address = reinterpret_cast<std::uintptr_t>(raw);
    next = static_cast<std::uint8_t*>(raw) + (kPage - address % kPage) % kPage;
    end = next + size;
    ::madvise(next, size, MADV_HUGEPAGE);
  }
};

Store& store() {
  static Store* const kept = new Store;  // outlives the threads and statics that give back to it
  return *kept;
}

}  // namespace

void* take_huge(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  Store& from = store();
  const std::lock_guard lock(from.mutex);
  if (const auto kept = from.free.find(size); kept != from.free.end() && !kept->second.empty()) {
    void* memory = kept->second.back();
    kept->second.pop_back();
    return memory;
  }
  if (static_cast<std::size_t>(from.end - from.next) < size) from.add_slab(size);
  void* memory = from.next;
  from.next += size;
  return memory;
}

void give_huge(void* memory, std::size_t bytes) noexcept {
  Store& to = store();
  const std::lock_guard lock(to.mutex);
  to.free[rounded(bytes)].push_back(memory);
}

void release_huge() noexcept {
  Store& from = store();
  const std::lock_guard lock(from.mutex);
  for (const auto& [size, blocks] : from.free) {
    for (void* memory : blocks) {
      const auto address = reinterpret_cast<std::uintptr_t>(memory);
      const auto begin = (address + kPage - 1) / kPage * kPage,
                 end = (address + size) / kPage * kPage;
      if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
  }
}

}  // namespace cellmill
