#include "nn/multinomial.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>

namespace cellmill::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Elements of a block: with logits and result it stays in a second-level cache.
constexpr std::int64_t kBlockElements = 1 << 16;

/// Of rows that begin with `first`: adds k log p to `sum`, where p stands as its logarithm.
template <class T>
void add_log_likelihood(const Csr& x, const at::Tensor& log_p, std::int64_t first, T* sum) {
  const auto* indptr = x.indptr.const_data_ptr<std::int64_t>();
  const auto* index = x.indices.const_data_ptr<std::int64_t>();
  const auto* count = x.values.const_data_ptr<T>();
  const auto* p = log_p.const_data_ptr<T>();
  for (std::int64_t row = 0; row < log_p.size(0); ++row) {
    T of_row = 0;
    for (auto k = indptr[first + row]; k < indptr[first + row + 1]; ++k)
      of_row += count[k] * p[row * log_p.stride(0) + index[k]];
    sum[first + row] = -of_row;
  }
}

template <class T>
void subtract_counts(const Csr& x, std::int64_t first, at::Tensor& gradient) {
  const auto* indptr = x.indptr.const_data_ptr<std::int64_t>();
  const auto* index = x.indices.const_data_ptr<std::int64_t>();
  const auto* count = x.values.const_data_ptr<T>();
  auto* g = gradient.mutable_data_ptr<T>();
  for (std::int64_t row = 0; row < gradient.size(0); ++row)
    for (auto k = indptr[first + row]; k < indptr[first + row + 1]; ++k)
      g[row * gradient.stride(0) + index[k]] -= count[k];
}

/// [B], and the gradient [B, G] of their sum, if it is wanted.
struct Value {
  at::Tensor nll, gradient;
};

Value evaluate(const Csr& x, const at::Tensor& logits, bool with_gradient) {
  const auto rows = logits.size(0), genes = logits.size(1);
  Value value{at::empty({rows}, logits.options()),
              with_gradient ? at::empty_like(logits) : at::Tensor()};
  const auto totals = row_sums(x).to(logits.scalar_type()).unsqueeze(1);
  const auto block = std::max<std::int64_t>(1, kBlockElements / std::max<std::int64_t>(genes, 1));
  at::parallel_for(0, (rows + block - 1) / block, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto first = begin * block; first < std::min(rows, end * block); first += block) {
      const auto last = std::min(rows, first + block);
      const auto in = logits.slice(0, first, last);
      auto out = with_gradient ? value.gradient.slice(0, first, last) : at::empty_like(in);
      at::_log_softmax_out(out, in, 1, false);
      AT_DISPATCH_FLOATING_TYPES(logits.scalar_type(), "multinomial_nll", [&] {
        add_log_likelihood(x, out, first, value.nll.mutable_data_ptr<scalar_t>());
        if (!with_gradient) return;
        out.exp_().mul_(totals.slice(0, first, last));
        subtract_counts<scalar_t>(x, first, out);
      });
    }
  });
  return value;
}

struct Multinomial : torch::autograd::Function<Multinomial> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& logits, const Csr& x) {
    auto value = evaluate(x, logits.detach(), /*with_gradient=*/true);
    context->saved_data["gradient"] = value.gradient;
    return value.nll;
  }
  static variable_list backward(AutogradContext* context, variable_list of_rows) {
    return {context->saved_data["gradient"].toTensor().mul_(of_rows[0].unsqueeze(1)), {}};
  }
};

}  // namespace

at::Tensor multinomial_nll(const Csr& counts, const at::Tensor& logits) {
  const auto type = logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto wide = logits.to(type).contiguous();
  if (!wide.is_cpu()) return -(densify(counts, type) * at::log_softmax(wide, 1)).sum(1);
  const Csr x{counts.indptr, counts.indices.to(at::kLong).contiguous(),
              counts.values.to(type).contiguous(), counts.columns};
  if (!at::GradMode::is_enabled() || !wide.requires_grad())
    return evaluate(x, wide.detach(), /*with_gradient=*/false).nll;
  return Multinomial::apply(wide, x);
}

}  // namespace cellmill::nn
