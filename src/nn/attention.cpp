#include "nn/attention.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/format.h"
#include "nn/attention_forward.h"
#include "nn/device_attention.h"

namespace cellmill::nn {
namespace {

std::string of_shape(const at::Tensor& qkv) {
  return fmt::format("[{}] of {}", fmt::join(qkv.sizes(), ", "), c10::toString(qkv.scalar_type()));
}

void check(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads) {
  if (qkv.dim() != 2 || heads < 1 || qkv.size(1) == 0 || qkv.size(1) % (3 * heads) != 0 ||
      !at::isFloatingType(qkv.scalar_type()))
    throw InternalError(fmt::format(
        "attention of {} heads wants [tokens, 3 * heads * D] of floating point numbers, not {}",
        heads, of_shape(qkv)));
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != qkv.size(0) ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    throw InternalError(
        fmt::format("offsets of {} tokens must rise from 0 to that number, not [{}]", qkv.size(0),
                    fmt::join(offsets, ", ")));
}

/// Some sequences of one length, [count * length, 3 * heads * D] -> queries, keys and values
/// [count, heads, length, D].
std::vector<at::Tensor> by_head(const at::Tensor& rows, std::int64_t length, std::int64_t heads) {
  return rows.view({-1, length, 3, heads, rows.size(1) / (3 * heads)})
      .permute({2, 0, 3, 1, 4})
      .unbind(0);
}

/// Back to [count * length, heads * D].
at::Tensor rejoined(const at::Tensor& heads) {
  return heads.transpose(1, 2).reshape({heads.size(0) * heads.size(2), -1});
}

/// Neighbours of one length share a call.
at::Tensor fused_in_turns(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads) {
  std::vector<std::int64_t> rows, lengths;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const auto length = offsets[i + 1] - offsets[i];
    if (length == 0) continue;
    if (!lengths.empty() && lengths.back() == length) {
      rows.back() += length;
    } else {
      rows.push_back(length);
      lengths.push_back(length);
    }
  }
  std::vector<at::Tensor> out;
  const auto parts = qkv.split_with_sizes(rows);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto qkv = by_head(parts[i], lengths[i], heads);
    out.push_back(rejoined(at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])));
  }
  return out.empty() ? qkv.narrow(1, 0, qkv.size(1) / 3) : at::cat(out);
}

}  // namespace

at::Tensor packed_attention(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads) {
  check(qkv, offsets, heads);
  const bool gradients = at::GradMode::is_enabled() && qkv.requires_grad();
  const auto* kernel = gradients ? nullptr : kernel_for(qkv);
  if (kernel) return attention_forward(*kernel, qkv.contiguous(), offsets, heads);
  if (!has_device_attention(qkv)) return fused_in_turns(qkv, offsets, heads);
  const auto parts = qkv.view({qkv.size(0), 3, heads, qkv.size(1) / (3 * heads)}).unbind(1);
  return device_attention(parts[0], offsets, parts[1], parts[2], offsets);
}

at::Tensor plain_attention(const at::Tensor& qkv, const Offsets& offsets, std::int64_t heads) {
  check(qkv, offsets, heads);
  std::vector<at::Tensor> out;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const auto length = offsets[i + 1] - offsets[i];
    if (length == 0) continue;
    const auto parts = by_head(qkv.narrow(0, offsets[i], length), length, heads);
    const auto scores = at::matmul(parts[0], parts[1].transpose(2, 3)) /
                        std::sqrt(static_cast<double>(parts[0].size(3)));
    out.push_back(rejoined(at::matmul(scores.softmax(-1), parts[2])));
  }
  return out.empty() ? qkv.narrow(1, 0, qkv.size(1) / 3) : at::cat(out);
}

}  // namespace cellmill::nn
