#include "nn/attention_forward.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/unset_vector.h"

namespace cellmill::nn {
namespace {

struct Task {
  Head head;
  float* packed;
  std::int64_t query;
};

/// `run(task)` of each task by whichever thread is free.
template <class Run>
void share(const std::vector<Task>& tasks, const Run& run) {
  std::atomic<std::size_t> next = 0;
  const auto threads = std::min<std::int64_t>(at::get_num_threads(), std::ssize(tasks));
  at::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
    for (auto i = next++; i < tasks.size(); i = next++) run(tasks[i]);
  });
}

}  // namespace

const HeadKernel* kernel_for(const at::Tensor& qkv) {
  if (!qkv.is_cpu()) return nullptr;
  if (qkv.scalar_type() == at::kFloat) return float_kernel();
  return qkv.scalar_type() == at::kBFloat16 ? bfloat16_kernel() : nullptr;
}

at::Tensor attention_forward(const HeadKernel& kernel, const at::Tensor& qkv,
                             const Offsets& offsets, std::int64_t heads) {
  const auto stride = qkv.size(1), width = stride / 3, depth = width / heads;
  const auto bytes = static_cast<std::int64_t>(qkv.element_size());
  auto out = at::empty({qkv.size(0), width}, qkv.options());
  const auto* from = static_cast<const char*>(qkv.const_data_ptr());
  auto* to = static_cast<char*>(out.mutable_data_ptr());

  std::vector<Task> packs, blocks;
  std::int64_t words = 0;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    words += heads * kernel.words(offsets[i + 1] - offsets[i], depth);
  thread_local UnsetVector<float> memory;
  constexpr std::int64_t kLine = 16;
  memory.resize(static_cast<std::size_t>(words + kLine));
  auto* packed = memory.data();
  while (reinterpret_cast<std::uintptr_t>(packed) % (kLine * sizeof(float)) != 0) ++packed;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    for (std::int64_t h = 0; h < heads; ++h) {
      const auto length = offsets[i + 1] - offsets[i];
      const auto* query = from + (offsets[i] * stride + h * depth) * bytes;
      const Head head{query,
                      query + width * bytes,
                      query + 2 * width * bytes,
                      to + (offsets[i] * width + h * depth) * bytes,
                      length,
                      depth,
                      stride,
                      width};
      packs.push_back({head, packed, 0});
      for (std::int64_t row = 0; row < length; row += kQueries)
        blocks.push_back({head, packed, row});
      packed += kernel.words(length, depth);
    }
  share(packs, [&](const Task& task) { kernel.pack(task.head, task.packed); });
  share(blocks, [&](const Task& task) {
    thread_local UnsetVector<float> room;
    room.resize(static_cast<std::size_t>(attend_room(depth)));
    kernel.attend(task.head, task.packed, task.query, room.data());
  });
  return out;
}

}  // namespace cellmill::nn
