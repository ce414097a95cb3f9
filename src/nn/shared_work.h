#pragma once
// Work of many parts for all threads, and the memory that a thread works in.
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/unset_vector.h"

namespace cellmill::nn {

/// `run(0)` to `run(count - 1)`, each by whichever thread is free.
template <class Run>
void share_work(std::int64_t count, const Run& run) {
  std::atomic<std::int64_t> next = 0;
  at::parallel_for(0, std::min<std::int64_t>(at::get_num_threads(), count), 1,
                   [&](std::int64_t, std::int64_t) {
                     for (auto i = next++; i < count; i = next++) run(i);
                   });
}

/// `count` numbers of `memory`, which grows to hold them, from an address divisible by 64 on.
inline float* aligned(UnsetVector<float>& memory, std::int64_t count) {
  constexpr std::int64_t kLine = 16;
  const auto size = static_cast<std::size_t>(count + kLine);
  if (memory.size() < size) memory.resize(size);
  const auto past = reinterpret_cast<std::uintptr_t>(memory.data()) / sizeof(float) % kLine;
  return memory.data() + (kLine - static_cast<std::int64_t>(past)) % kLine;
}

}  // namespace cellmill::nn
