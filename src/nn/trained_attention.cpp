#include "nn/trained_attention.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <torch/autograd.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "nn/device_attention.h"
#include "nn/keyed_dropout.h"
#include "nn/shared_work.h"

namespace cellmill::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Scores of a block of queries: they, and what backward keeps beside them, stay in a second-level
/// cache.
constexpr std::int64_t kBlockScores = 1 << 16;

std::int64_t place_of(const AttentionDropout& dropout, std::int64_t head) {
  return dropout.place + (head << 32);
}

/// A head of a sequence.
struct Task {
  std::int64_t query, queries, token, tokens, head;
};

struct Shape {
  Offsets query_offsets, offsets;
  std::int64_t heads;
  AttentionDropout dropout;

  /// Largest first, so that the threads end together.
  std::vector<Task> tasks() const {
    std::vector<Task> all;
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
      for (std::int64_t h = 0; h < heads; ++h)
        if (query_offsets[i + 1] > query_offsets[i])
          all.push_back({query_offsets[i], query_offsets[i + 1] - query_offsets[i], offsets[i],
                         offsets[i + 1] - offsets[i], h});
    std::stable_sort(all.begin(), all.end(), [](const Task& a, const Task& b) {
      return a.queries * a.tokens > b.queries * b.tokens;
    });
    return all;
  }
};

/// Columns of a head, of rows of `values`.
at::Tensor part(const at::Tensor& values, std::int64_t row, std::int64_t rows, std::int64_t column,
                std::int64_t depth) {
  return values.narrow(0, row, rows).narrow(1, column, depth);
}

/// What a task reads, and the block of scores that it works on.
struct Head {
  const Shape& shape;
  Task task;
  at::Tensor query, key, value;  ///< query already divided by sqrt(D)
  std::int64_t depth, block;
  at::Tensor scores;

  Head(const Shape& of_shape, const Task& of_task, const at::Tensor& q, const at::Tensor& kv)
      : shape(of_shape), task(of_task), depth(q.size(1) / of_shape.heads) {
    const auto column = task.head * depth;
    query =
        part(q, task.query, task.queries, column, depth) / std::sqrt(static_cast<double>(depth));
    key = part(kv, task.token, task.tokens, column, depth);
    value = part(kv, task.token, task.tokens, kv.size(1) / 2 + column, depth);
    block = std::min(task.queries, std::max<std::int64_t>(16, kBlockScores / task.tokens));
    scores = room();
  }
  at::Tensor room() const { return at::empty({block, task.tokens}, key.options()); }
  std::int64_t rows(std::int64_t begin) const { return std::min(block, task.queries - begin); }
  /// Probabilities of queries from `begin` on, before dropout.
  at::Tensor probabilities(std::int64_t begin, at::Tensor& to) {
    auto s = scores.narrow(0, 0, rows(begin)), p = to.narrow(0, 0, rows(begin));
    at::mm_out(s, query.narrow(0, begin, rows(begin)), key.t());
    return at::_softmax_out(p, s, 1, false);
  }
  /// Multiplies rows of queries from `begin` on by their keep mask.
  void drop(at::Tensor& values, std::int64_t begin) const {
    const auto& dropout = shape.dropout;
    if (dropout.rate == 0) return;
    const auto* keys = dropout.keys.const_data_ptr<std::int64_t>() + task.query + begin;
    const auto place = place_of(dropout, task.head);
    AT_DISPATCH_FLOATING_TYPES(values.scalar_type(), "drop", [&] {
      auto* row = values.mutable_data_ptr<scalar_t>();
      for (std::int64_t r = 0; r < values.size(0); ++r, row += values.stride(0))
        keep_row(keys[r], place, row, values.size(1), dropout.rate);
    });
  }
};

at::Tensor forward_pass(const Shape& shape, const at::Tensor& query, const at::Tensor& key_value) {
  auto out = at::empty_like(query);
  const auto tasks = shape.tasks();
  share_work(std::ssize(tasks), [&](std::int64_t i) {
    const auto& task = tasks[static_cast<std::size_t>(i)];
    Head head(shape, task, query, key_value);
    auto to = part(out, task.query, task.queries, task.head * head.depth, head.depth);
    auto room = head.room();
    for (std::int64_t begin = 0; begin < task.queries; begin += head.block) {
      auto p = head.probabilities(begin, room);
      head.drop(p, begin);
      auto rows = to.narrow(0, begin, p.size(0));
      at::mm_out(rows, p, head.value);
    }
  });
  return out;
}

struct Gradients {
  at::Tensor query, key_value;
};

Gradients backward_pass(const Shape& shape, const at::Tensor& query, const at::Tensor& key_value,
                        const at::Tensor& out, const at::Tensor& of_out) {
  Gradients g{at::empty_like(query), at::zeros_like(key_value)};
  const auto width = query.size(1);
  const auto tasks = shape.tasks();
  share_work(std::ssize(tasks), [&](std::int64_t i) {
    const auto& task = tasks[static_cast<std::size_t>(i)];
    Head head(shape, task, query, key_value);
    const auto depth = head.depth, column = task.head * depth;
    const double scale = 1 / std::sqrt(static_cast<double>(depth));
    auto of_key = part(g.key_value, task.token, task.tokens, column, depth);
    auto of_value = part(g.key_value, task.token, task.tokens, width + column, depth);
    auto room = head.room(), kept_room = head.room();
    for (std::int64_t begin = 0; begin < task.queries; begin += head.block) {
      const auto rows = head.rows(begin);
      const auto of_rows = part(of_out, task.query + begin, rows, column, depth);
      const auto own = part(out, task.query + begin, rows, column, depth);
      auto p = head.probabilities(begin, room);
      auto d = head.scores.narrow(0, 0, rows), kept = kept_room.narrow(0, 0, rows);
      at::mm_out(d, of_rows, head.value.t());
      kept.copy_(p);
      head.drop(kept, begin);
      head.drop(d, begin);
      of_value.addmm_(kept.t(), of_rows);
      d.sub_((of_rows * own).sum(1, /*keepdim=*/true)).mul_(p);
      of_key.addmm_(d.t(), head.query.narrow(0, begin, rows));
      auto of_query = part(g.query, task.query + begin, rows, column, depth);
      at::addmm_out(of_query, of_query, d, head.key, /*beta=*/0, scale);
    }
  });
  return g;
}

struct Trained : torch::autograd::Function<Trained> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& query,
                            const at::Tensor& key_value, const Shape& shape) {
    const auto out = forward_pass(shape, query.detach(), key_value.detach());  // other threads too
    context->save_for_backward({query, key_value, out});
    auto& saved = context->saved_data;
    saved["query_offsets"] = shape.query_offsets;
    saved["offsets"] = shape.offsets;
    saved["heads"] = shape.heads;
    saved["keys"] = shape.dropout.keys;
    saved["place"] = shape.dropout.place;
    saved["rate"] = shape.dropout.rate;
    return out;
  }
  static variable_list backward(AutogradContext* context, variable_list of_out) {
    const auto tensors = context->get_saved_variables();
    auto& saved = context->saved_data;
    const Shape shape{saved["query_offsets"].toIntVector(),
                      saved["offsets"].toIntVector(),
                      saved["heads"].toInt(),
                      {saved["keys"].toTensor(), saved["place"].toInt(), saved["rate"].toDouble()}};
    const auto g = backward_pass(shape, tensors[0].detach(), tensors[1].detach(),
                                 tensors[2].detach(), of_out[0].contiguous());
    return {g.query, g.key_value, {}};
  }
};

}  // namespace

at::Tensor trained_attention(const at::Tensor& query, const Offsets& query_offsets,
                             const at::Tensor& key_value, const Offsets& offsets,
                             std::int64_t heads, const AttentionDropout& dropout) {
  if (has_device_attention(query) && dropout.rate == 0) {
    const auto depth = query.size(1) / heads;
    const auto parts = key_value.view({key_value.size(0), 2, heads, depth}).unbind(1);
    return device_attention(query.view({query.size(0), heads, depth}), query_offsets, parts[0],
                            parts[1], offsets);
  }
  if (!query.is_cpu())
    return plain_trained_attention(query, query_offsets, key_value, offsets, heads, dropout);
  const auto wide = at::promote_types(query.scalar_type(), at::kFloat);
  return Trained::apply(query.to(wide).contiguous(), key_value.to(wide).contiguous(),
                        Shape{query_offsets, offsets, heads, dropout})
      .to(query.scalar_type());
}

at::Tensor plain_trained_attention(const at::Tensor& query, const Offsets& query_offsets,
                                   const at::Tensor& key_value, const Offsets& offsets,
                                   std::int64_t heads, const AttentionDropout& dropout) {
  const auto width = query.size(1), depth = width / heads;
  std::vector<at::Tensor> out;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const auto first = query_offsets[i], queries = query_offsets[i + 1] - first;
    const auto tokens = offsets[i + 1] - offsets[i];
    if (queries == 0) continue;
    const auto kv = key_value.narrow(0, offsets[i], tokens).view({tokens, 2, heads, depth});
    const auto q = query.narrow(0, first, queries).view({queries, heads, depth}).transpose(0, 1);
    const auto scores =
        at::matmul(q, kv.select(1, 0).permute({1, 2, 0})) / std::sqrt(static_cast<double>(depth));
    auto p = scores.softmax(-1);
    if (dropout.rate > 0) {
      std::vector<at::Tensor> keep;
      for (std::int64_t h = 0; h < heads; ++h)
        keep.push_back(keep_mask(dropout.keys.narrow(0, first, queries), place_of(dropout, h),
                                 tokens, dropout.rate, query.device()));
      p = p * at::stack(keep).to(p.options());
    }
    out.push_back(
        at::matmul(p, kv.select(1, 1).transpose(0, 1)).transpose(0, 1).reshape({queries, width}));
  }
  return out.empty() ? query : at::cat(out);
}

}  // namespace cellmill::nn
