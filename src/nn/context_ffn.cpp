#include "nn/context_ffn.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>
#include <numeric>

#include "nn/segment_kernels.h"

namespace cellmill::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Calls `few` for the short segments, on all threads, and `many` for the others one by one.
template <class Few, class Many>
void for_segments(const std::vector<std::int64_t>& begin, bool kernels, const Few& few,
                  const Many& many) {
  const auto segments = static_cast<std::int64_t>(begin.size()) - 1;
  const auto is_short = [&](std::int64_t k) {
    const auto at = static_cast<std::size_t>(k);
    return kernels && begin[at + 1] - begin[at] < kFewRows;
  };
  if (kernels) {
    at::parallel_for(0, segments, 4, [&](std::int64_t from, std::int64_t to) {
      for (auto k = from; k < to; ++k)
        if (is_short(k)) few(static_cast<std::size_t>(k));
    });
  }
  for (std::int64_t k = 0; k < segments; ++k)
    if (!is_short(k)) many(static_cast<std::size_t>(k));
}

/// y[begin:end] = x[begin:end] W[c]^T + b[c] for every segment.
class SegmentLinear : public torch::autograd::Function<SegmentLinear> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& input, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias,
                            const std::vector<std::int64_t>& context,
                            const std::vector<std::int64_t>& begin) {
    const auto x = input.contiguous();
    ctx->save_for_backward({x, weight});
    ctx->saved_data["context"] = context;
    ctx->saved_data["begin"] = begin;
    ctx->saved_data["bias"] = bias.has_value();
    auto y = at::empty({x.size(0), weight.size(1)}, x.options());
    for_segments(
        begin, has_kernels(x),
        [&](std::size_t k) {
          const auto shape = shape_of(begin, k, weight);
          segment_forward(shape, x.const_data_ptr<float>() + begin[k] * shape.in,
                          weight.const_data_ptr<float>() + context[k] * shape.in * shape.out,
                          bias ? bias->const_data_ptr<float>() + context[k] * shape.out : nullptr,
                          y.mutable_data_ptr<float>() + begin[k] * shape.out);
        },
        [&](std::size_t k) {
          auto out = y.slice(0, begin[k], begin[k + 1]);
          const auto in = x.slice(0, begin[k], begin[k + 1]);
          const auto w = weight.select(0, context[k]).t();
          if (bias) {
            at::addmm_out(out, bias->select(0, context[k]), in, w);
          } else {
            at::mm_out(out, in, w);
          }
        });
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto context = ctx->saved_data["context"].toIntVector();
    const auto begin = ctx->saved_data["begin"].toIntVector();
    const auto g = gradients[0].contiguous();
    auto gx = at::empty_like(x);
    auto gw = at::empty_like(weight);
    at::Tensor gb;
    if (ctx->saved_data["bias"].toBool())
      gb = at::empty({weight.size(0), weight.size(1)}, weight.options());
    clear_unused(context, gw, gb);
    for_segments(
        begin, has_kernels(x),
        [&](std::size_t k) {
          const auto shape = shape_of(begin, k, weight);
          const auto* gs = g.const_data_ptr<float>() + begin[k] * shape.out;
          const auto at_weight = context[k] * shape.in * shape.out;
          segment_input_gradient(shape, gs, weight.const_data_ptr<float>() + at_weight,
                                 gx.mutable_data_ptr<float>() + begin[k] * shape.in);
          segment_weight_gradient(
              shape, gs, x.const_data_ptr<float>() + begin[k] * shape.in,
              gw.mutable_data_ptr<float>() + at_weight,
              gb.defined() ? gb.mutable_data_ptr<float>() + context[k] * shape.out : nullptr);
        },
        [&](std::size_t k) {
          const auto gs = g.slice(0, begin[k], begin[k + 1]);
          auto gxs = gx.slice(0, begin[k], begin[k + 1]);
          at::mm_out(gxs, gs, weight.select(0, context[k]));
          auto gwc = gw.select(0, context[k]);
          at::mm_out(gwc, gs.t(), x.slice(0, begin[k], begin[k + 1]));
          if (gb.defined()) {
            auto gbc = gb.select(0, context[k]);
            at::sum_out(gbc, gs, 0);
          }
        });
    return {gx, gw, gb, {}, {}};
  }

 private:
  static bool has_kernels(const at::Tensor& x) {
    return x.is_cpu() && x.scalar_type() == at::kFloat;
  }
  static SegmentShape shape_of(const std::vector<std::int64_t>& begin, std::size_t k,
                               const at::Tensor& weight) {
    return {begin[k + 1] - begin[k], weight.size(2), weight.size(1)};
  }
  /// `used` rises.
  static void clear_unused(const std::vector<std::int64_t>& used, at::Tensor& gw, at::Tensor& gb) {
    std::int64_t next = 0;
    const auto clear_to = [&](std::int64_t end) {
      if (end > next) gw.slice(0, next, end).zero_();
      if (end > next && gb.defined()) gb.slice(0, next, end).zero_();
      next = end + 1;
    };
    for (const auto c : used) clear_to(c);
    clear_to(gw.size(0));
  }
};

struct Entry {
  std::int64_t row, context;
  double coefficient;
};

Routing group(std::vector<Entry> entries, std::int64_t rows) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.context < b.context; });
  const auto n = static_cast<std::int64_t>(entries.size());
  Routing routing;
  routing.rows = rows;
  routing.row = at::empty({n}, at::kLong);
  auto coefficient = at::empty({n}, at::kDouble);
  for (std::int64_t k = 0; k < n; ++k) {
    const auto& entry = entries[static_cast<std::size_t>(k)];
    routing.row.mutable_data_ptr<std::int64_t>()[k] = entry.row;
    coefficient.mutable_data_ptr<double>()[k] = entry.coefficient;
    if (routing.context.empty() || routing.context.back() != entry.context) {
      routing.context.push_back(entry.context);
      routing.begin.push_back(k);
    }
  }
  routing.begin.push_back(n);
  const bool plain = std::all_of(entries.begin(), entries.end(),
                                 [](const Entry& e) { return e.coefficient == 1; });
  if (!plain) routing.coefficient = coefficient;
  return routing;
}

template <class AddRow>
Routing route(const at::Tensor& contexts, const AddRow& add_row) {
  const auto host = contexts.cpu().contiguous();
  const auto* context = host.const_data_ptr<std::int64_t>();
  std::vector<Entry> entries;
  for (std::int64_t i = 0; i < host.size(0); ++i) {
    if (context[i] >= 0) add_row(entries, i, context[i]);
  }
  return group(std::move(entries), host.size(0));
}

}  // namespace

Routing route_plain(const at::Tensor& contexts) {
  return route(contexts, [](auto& entries, std::int64_t row, std::int64_t context) {
    entries.push_back({row, context, 1});
  });
}

Routing route_sets(const at::Tensor& contexts,
                   const std::vector<std::vector<std::int64_t>>& elements, std::int64_t control) {
  return route(contexts, [&](auto& entries, std::int64_t row, std::int64_t context) {
    const auto& set = elements.at(static_cast<std::size_t>(context));
    if (set.size() != 1) entries.push_back({row, control, 1.0 - static_cast<double>(set.size())});
    for (auto element : set) entries.push_back({row, element, 1});
  });
}

at::Tensor context_ffn(const at::Tensor& x, const FfnPool& pool, const Routing& routing) {
  const auto linear = [&](const at::Tensor& in, const at::Tensor& weight, const at::Tensor& bias) {
    return SegmentLinear::apply(in, weight, bias.defined() ? std::optional(bias) : std::nullopt,
                                routing.context, routing.begin);
  };
  const auto row = routing.row.to(x.device());
  auto y = linear(x.index_select(0, row).to(pool.weight1.scalar_type()), pool.weight1, pool.bias1);
  if (pool.kind != FfnKind::kLinear) y = at::relu(y);
  if (pool.kind == FfnKind::kMlp) {
    y = linear(y, pool.weight2, pool.bias2);
  }
  if (routing.coefficient.defined()) y = y * routing.coefficient.to(y.options()).unsqueeze(1);
  return at::zeros({routing.rows, y.size(1)}, y.options()).index_add(0, row, y);
}

}  // namespace cellmill::nn
