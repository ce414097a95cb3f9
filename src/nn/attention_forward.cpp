#include "nn/attention_forward.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "base/unset_vector.h"
#include "nn/huge_pages.h"

namespace cellmill::nn {
namespace {

/// `run(0)`... each by whichever thread is free.
template <class Run>
void share(std::int64_t count, const Run& run) {
  std::atomic<std::int64_t> next = 0;
  at::parallel_for(0, std::min<std::int64_t>(at::get_num_threads(), count), 1,
                   [&](std::int64_t, std::int64_t) {
                     for (auto i = next++; i < count; i = next++) run(i);
                   });
}

struct PackedHead {
  Head head;
  float* packed;
};

/// Rows from `row` on of a head.
struct Block {
  std::size_t head;
  std::int64_t row;
};

float* aligned(UnsetVector<float>& memory, std::int64_t count) {
  constexpr std::int64_t kLine = 16;
  memory.resize(static_cast<std::size_t>(count + kLine));
  const auto past = reinterpret_cast<std::uintptr_t>(memory.data()) / sizeof(float) % kLine;
  return memory.data() + (kLine - static_cast<std::int64_t>(past)) % kLine;
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
  auto out = huge_empty({qkv.size(0), width}, qkv.options());
  const auto* from = static_cast<const char*>(qkv.const_data_ptr());
  auto* to = static_cast<char*>(out.mutable_data_ptr());

  std::int64_t words = 0;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    words += heads * kernel.words(offsets[i + 1] - offsets[i], depth);
  thread_local UnsetVector<float> memory;
  auto* packed = aligned(memory, words);
  std::vector<PackedHead> all;
  std::vector<Block> keys, queries;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const auto length = offsets[i + 1] - offsets[i];
    for (std::int64_t row = 0; row < length; row += kKeys) keys.push_back({all.size(), row});
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t row = 0; row < length; row += kQueries)
        queries.push_back({all.size(), row});
      const auto* query = from + (offsets[i] * stride + h * depth) * bytes;
      all.push_back({{query, query + width * bytes, query + 2 * width * bytes,
                      to + (offsets[i] * width + h * depth) * bytes, length, depth, stride, width},
                     packed});
      packed += kernel.words(length, depth);
    }
  }
  share(std::ssize(keys), [&](std::int64_t i) {  // all heads of a token, whose memory is one
    const auto& block = keys[static_cast<std::size_t>(i)];
    for (auto h = block.head; h < block.head + static_cast<std::size_t>(heads); ++h)
      kernel.pack(all[h].head, block.row, all[h].packed);
  });
  share(std::ssize(queries), [&](std::int64_t i) {
    const auto& block = queries[static_cast<std::size_t>(i)];
    thread_local UnsetVector<float> room;
    kernel.attend(all[block.head].head, block.row, all[block.head].packed,
                  aligned(room, attend_room(depth)));
  });
  return out;
}

}  // namespace cellmill::nn
