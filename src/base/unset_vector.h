#pragma once
// std::vector whose resize leaves new numbers unset instead of zero, and whose large buffers are of
// huge pages and used again (base/huge_memory.h): for buffers that are about to be filled, where
// clearing them, or fresh pages, would cost as much as filling them.
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/huge_memory.h"

namespace cellmill {

template <class T>
struct Unset : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = Unset<U>;
  };
  Unset() = default;
  template <class U>
  Unset(const Unset<U>&) noexcept {}
  T* allocate(std::size_t count) {
    if (count * sizeof(T) < kHugeFrom) return std::allocator<T>::allocate(count);
    return static_cast<T*>(take_huge(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    if (count * sizeof(T) < kHugeFrom) return std::allocator<T>::deallocate(memory, count);
    give_huge(memory, count * sizeof(T));
  }
  template <class U>
  void construct(U* at) noexcept {
    ::new (static_cast<void*>(at)) U;
  }
  template <class U, class... Values>
  void construct(U* at, Values&&... values) {
    ::new (static_cast<void*>(at)) U(std::forward<Values>(values)...);
  }
};

template <class T>
using UnsetVector = std::vector<T, Unset<T>>;

}  // namespace cellmill
