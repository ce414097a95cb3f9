#include "nn/attention_forward.h"

#include <vector>

#include "nn/huge_pages.h"
#include "nn/shared_work.h"

namespace cellmill::nn {
namespace {

struct PackedHead {
  Head head;
  float* packed;
};

/// Rows from `row` on of a head.
struct Block {
  std::size_t head;
  std::int64_t row;
};

}  // namespace

const HeadKernel* kernel_for(const at::Tensor& qkv) {
  if (!qkv.is_cpu()) return nullptr;
  if (qkv.scalar_type() == at::kFloat) return float_kernel();
  return qkv.scalar_type() == at::kBFloat16 ? bfloat16_kernel() : nullptr;
}

at::Tensor attention_forward(const HeadKernel& kernel, const at::Tensor& qkv,
                             const Offsets& offsets, std::int64_t heads) {
  auto out = huge_empty({qkv.size(0), qkv.size(1) / 3}, qkv.options());
  attention_forward_out(kernel, qkv, offsets, heads, out);
  return out;
}

void attention_forward_out(const HeadKernel& kernel, const at::Tensor& qkv, const Offsets& offsets,
                           std::int64_t heads, const at::Tensor& out) {
  const auto stride = qkv.size(1), width = stride / 3, depth = width / heads;
  const auto bytes = static_cast<std::int64_t>(qkv.element_size());
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
  share_work(std::ssize(keys), [&](std::int64_t i) {  // all heads of a token, whose memory is one
    const auto& block = keys[static_cast<std::size_t>(i)];
    for (auto h = block.head; h < block.head + static_cast<std::size_t>(heads); ++h)
      kernel.pack(all[h].head, block.row, all[h].packed);
  });
  share_work(std::ssize(queries), [&](std::int64_t i) {
    const auto& block = queries[static_cast<std::size_t>(i)];
    thread_local UnsetVector<float> room;
    kernel.attend(all[block.head].head, block.row, all[block.head].packed,
                  aligned(room, attend_room(depth)));
  });
}

}  // namespace cellmill::nn
