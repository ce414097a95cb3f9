#include "nn/device_attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <tuple>

namespace cellmill::nn {
namespace {

struct Ends {
  Ends(const Offsets& offsets, at::Device device)
      : tensor(at::tensor(offsets, at::kInt).to(device, /*non_blocking=*/true)) {
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
      longest = std::max(longest, offsets[i + 1] - offsets[i]);
  }
  at::Tensor tensor;
  std::int64_t longest = 0;
};

}  // namespace

bool has_device_attention(const at::Tensor& query) {
  return query.is_cuda() && query.scalar_type() != at::kDouble;
}

at::Tensor device_attention(const at::Tensor& query, const Offsets& query_offsets,
                            const at::Tensor& key, const at::Tensor& value,
                            const Offsets& offsets) {
  const Ends q(query_offsets, query.device()), k(offsets, query.device());
  const auto depth = query.size(2);
  if (q.longest == 0) return query.flatten(1);
  const bool half = query.scalar_type() == at::kHalf || query.scalar_type() == at::kBFloat16;
  const auto out =
      half && depth % 8 == 0 && depth <= 256
          ? std::get<0>(at::_flash_attention_forward(
                query, key, value, q.tensor, k.tensor, q.longest, k.longest, /*dropout=*/0,
                /*is_causal=*/false, /*return_debug_mask=*/false))
          : std::get<0>(at::_efficient_attention_forward(
                query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0), {}, q.tensor, k.tensor,
                q.longest, k.longest, /*dropout=*/0, /*custom_mask_type=*/0,
                /*compute_log_sumexp=*/at::GradMode::is_enabled() && query.requires_grad()));
  return out.reshape({query.size(0), query.size(1) * depth});
}

}  // namespace cellmill::nn
