#include "nn/dropped_attention.h"

#include <ATen/ATen.h>

#include <cmath>

#include "nn/keyed_dropout.h"

namespace cellmill::nn {

at::Tensor dropped_attention(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads,
                             const AttentionDropout& dropout) {
  const auto width = qkv.size(1) / 3, depth = width / heads;
  const double scale = 1 / std::sqrt(static_cast<double>(depth));
  std::vector<at::Tensor> attended;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const auto begin = offsets[i], length = offsets[i + 1] - begin;
    const auto parts =
        qkv.narrow(0, begin, length).view({length, 3, heads, depth}).permute({1, 2, 0, 3});
    const auto keep = keep_mask(dropout.keys.narrow(0, begin, length), dropout.place,
                                heads * length, dropout.rate)
                          .view({length, heads, length})
                          .transpose(0, 1)
                          .to(qkv.device(), qkv.scalar_type());
    const auto weights = at::softmax(at::matmul(parts[0] * scale, parts[1].transpose(1, 2)), -1);
    attended.push_back(
        at::matmul(weights * keep, parts[2]).transpose(0, 1).reshape({length, width}));
  }
  return attended.empty() ? qkv.narrow(1, 0, width) : at::cat(attended);
}

}  // namespace cellmill::nn
