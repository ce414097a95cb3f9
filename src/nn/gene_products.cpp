#include "nn/gene_products.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>

#include "nn/huge_pages.h"

namespace cellmill::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Grams stay in full precision: losses subtract large terms of them.
class NoAutocast {
 public:
  NoAutocast() : guard_(c10::autocast_dispatch_keyset) {}

 private:
  c10::impl::ExcludeDispatchKeyGuard guard_;
};

constexpr std::int64_t kTile = 32;

/// a[g, j] and b[j, g] hold the same values; copies one into the other in tiles.
template <class T, class Assign>
void transposed(T* a, std::int64_t a_stride, T* b, std::int64_t b_stride, std::int64_t genes,
                std::int64_t columns, const Assign& assign) {
  const std::int64_t tiles = (genes + kTile - 1) / kTile;
  at::parallel_for(0, tiles, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const auto g0 = tile * kTile, g1 = std::min(genes, g0 + kTile);
      for (std::int64_t j0 = 0; j0 < columns; j0 += kTile) {
        const auto j1 = std::min(columns, j0 + kTile);
        for (std::int64_t g = g0; g < g1; ++g)
          for (std::int64_t j = j0; j < j1; ++j) assign(a[g * a_stride + j], b[j * b_stride + g]);
      }
    }
  });
}

/// The columns of a table that belong to a weight, as the weight is shaped.
at::Tensor shaped(const at::Tensor& columns, const GeneWeight& w) {
  if (w.value.dim() == 1) return columns.squeeze(1);
  return w.by_gene ? columns : columns.t();
}

void write(const GeneWeight& w, at::Tensor columns) {
  if (w.by_gene || w.value.dim() == 1 || !columns.is_cpu() || !w.value.is_contiguous()) {
    shaped(columns, w).copy_(w.value.detach());
    return;
  }
  AT_DISPATCH_FLOATING_TYPES(columns.scalar_type(), "write", [&] {
    transposed(columns.mutable_data_ptr<scalar_t>(), columns.stride(0),
               const_cast<scalar_t*>(w.value.const_data_ptr<scalar_t>()), w.value.stride(0),
               columns.size(0), columns.size(1), [](scalar_t& to, scalar_t from) { to = from; });
  });
}

at::Tensor read(const GeneWeight& w, const at::Tensor& columns) {
  auto out = at::empty(w.value.sizes(), columns.options());
  if (w.by_gene || w.value.dim() == 1 || !columns.is_cpu()) return out.copy_(shaped(columns, w));
  AT_DISPATCH_FLOATING_TYPES(columns.scalar_type(), "read", [&] {
    transposed(const_cast<scalar_t*>(columns.const_data_ptr<scalar_t>()), columns.stride(0),
               out.mutable_data_ptr<scalar_t>(), out.stride(0), columns.size(0), columns.size(1),
               [](scalar_t from, scalar_t& to) { to = from; });
  });
  return out;
}

/// Decoding and encoding columns begin at, and rows are, whole cache lines: matrix products run up
/// to 1.8 times as fast. Columns that fill up are zero.
constexpr std::int64_t kAlign = 16;
std::int64_t aligned(std::int64_t columns) { return (columns + kAlign - 1) / kAlign * kAlign; }

/// One call: where the weights stand in the table, and what backward needs of forward.
struct Call : torch::CustomClassHolder {
  std::vector<GeneWeight> weights;
  std::vector<std::int64_t> begin;  ///< first column of each; and one past the end
  std::size_t decoding = 0;         ///< the first so many make D
  Csr x;
  at::Tensor rows, table, gradients;
  GramShare share;

  /// The genes that this rank's part of the gram sums over.
  at::Tensor own_genes(const at::Tensor& by_gene) const {
    return by_gene.slice(0, x.columns * share.part / share.parts,
                         x.columns * (share.part + 1) / share.parts);
  }
  std::int64_t columns() const { return begin.back(); }
  std::int64_t decoded() const { return begin[decoding]; }
  std::int64_t end(std::size_t w) const { return begin[w] + weights[w].value.numel() / x.columns; }
  std::int64_t decoded_unfilled() const { return decoding == 0 ? 0 : end(decoding - 1); }
  /// A weight's columns of a matrix as wide as the table.
  at::Tensor part(const at::Tensor& wide, std::size_t w) const {
    return wide.slice(1, begin[w], end(w));
  }
};

/// D^T M: blocks on and above the diagonal of D^T D are computed, those below are their mirror.
at::Tensor gram_of(const Call& call) {
  constexpr std::int64_t kBlock = 256;  // narrower products lose more than their symmetry saves
  const auto m = call.own_genes(call.table);
  auto gram = at::empty({call.decoded(), call.columns()}, m.options());
  for (std::size_t w = 0; w < call.decoding;) {
    auto next = w + 1;  // single columns join the block before them
    while (next < call.decoding &&
           (call.weights[next].value.dim() == 1 || call.begin[next] - call.begin[w] < kBlock))
      ++next;
    const auto begin = call.begin[w], end = call.begin[next];
    auto block = gram.slice(0, begin, end).slice(1, begin);
    at::mm_out(block, m.slice(1, begin, end).t(), m.slice(1, begin));
    auto below = gram.slice(0, end).slice(1, begin, end);
    below.copy_(gram.slice(0, begin, end).slice(1, end, call.decoded()).t());
    w = next;
  }
  if (call.share.parts > 1) call.share.sum_over_ranks(gram);
  return gram;
}

/// One matrix as wide as the table from the gradients [given, n] of its parts; zero where there is
/// none.
at::Tensor assemble(const Call& call, at::ArrayRef<at::Tensor> parts, std::int64_t given,
                    std::int64_t height) {
  const auto wide = at::empty({height, call.columns()}, call.table.options());
  for (std::size_t w = 0; w < parts.size(); ++w) {
    const auto rows = call.part(wide, w).slice(0, 0, given);
    parts[w].defined() ? rows.copy_(parts[w]) : rows.zero_();
    wide.slice(1, call.end(w), call.begin[w + 1]).zero_();
  }
  wide.slice(0, given).zero_();
  return wide;
}

/// Adds what the gram's gradient g [K, N] says of the weights.
void add_gram_gradient(const Call& call, at::Tensor g) {
  if (call.share.parts > 1) call.share.sum_over_ranks(g);
  const auto m = call.own_genes(call.table), gradients = call.own_genes(call.gradients);
  const auto k = call.decoded();
  auto mixed = g.t().contiguous();  // [N, K]
  mixed.slice(0, 0, k).add_(g.slice(1, 0, k));
  auto decoded = gradients.slice(1, 0, k);
  at::addmm_out(decoded, decoded, m, mixed);
  for (std::size_t w = call.decoding; w < call.weights.size();) {
    auto next = w;
    while (next < call.weights.size() && !call.weights[next].frozen_in_gram) ++next;
    if (next > w) {
      auto encoded = gradients.slice(1, call.begin[w], call.begin[next]);
      at::addmm_out(encoded, encoded, m.slice(1, 0, k),
                    g.slice(1, call.begin[w], call.begin[next]));
    }
    w = next + 1;
  }
}

/// Outputs: a weight's part of X M each, then of the gram each, then the rows' product if asked
/// for.
class Products : public torch::autograd::Function<Products> {
 public:
  static variable_list forward(AutogradContext* ctx, at::TensorList /*weights*/,
                               const c10::intrusive_ptr<Call>& call) {
    const at::AutoDispatchBelowADInplaceOrView no_views;  // parts of one buffer, each an output
    const NoAutocast full_precision;
    ctx->saved_data["call"] = c10::IValue::make_capsule(call);
    for (std::size_t w = 0; w < call->weights.size(); ++w)
      write(call->weights[w], call->part(call->table, w));
    const auto expression = multiply(call->x, call->table);
    const auto gram = gram_of(*call);
    variable_list out;
    for (std::size_t w = 0; w < call->weights.size(); ++w) out.push_back(call->part(expression, w));
    const auto decoded = call->decoded_unfilled();
    for (std::size_t w = 0; w < call->weights.size(); ++w)
      out.push_back(call->part(gram, w).slice(0, 0, decoded));
    if (call->rows.defined()) out.push_back(at::mm(call->rows, call->table.slice(1, 0, decoded)));
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list given) {
    const auto call = c10::static_intrusive_pointer_cast<Call>(ctx->saved_data["call"].toCapsule());
    const auto n = call->weights.size();
    const at::ArrayRef<at::Tensor> all(given);
    const auto cells = call->x.rows();
    multiply_transposed(call->x, assemble(*call, all.slice(0, n), cells, cells), call->gradients);
    add_gram_gradient(*call,
                      assemble(*call, all.slice(n, n), call->decoded_unfilled(), call->decoded()));
    if (call->rows.defined() && given.back().defined()) {
      auto decoded = call->gradients.slice(1, 0, call->decoded_unfilled());
      at::addmm_out(decoded, decoded, call->rows.t(), given.back());
    }
    variable_list out;
    for (std::size_t w = 0; w < n; ++w)
      out.push_back(read(call->weights[w], call->part(call->gradients, w)));
    out.emplace_back();
    return out;
  }
};

void keep(at::Tensor& table, std::int64_t genes, std::int64_t columns,
          const at::TensorOptions& options) {
  if (!table.defined() || table.size(0) != genes || table.size(1) != columns ||
      table.options().device() != options.device() || table.dtype() != options.dtype())
    table = huge_empty({genes, columns}, options).zero_();
}

}  // namespace

GeneProducts gene_products(const Csr& x, const std::vector<GeneWeight>& decoding,
                           const std::vector<GeneWeight>& encoding, const at::Tensor& rows,
                           GeneTables& tables, const GramShare& share) {
  auto call = c10::make_intrusive<Call>();
  call->weights = decoding;
  call->weights.insert(call->weights.end(), encoding.begin(), encoding.end());
  call->decoding = decoding.size();
  call->x = x;
  call->rows = rows;
  call->share = share;
  call->begin = {0};
  std::vector<at::Tensor> values;
  for (std::size_t w = 0; w < call->weights.size(); ++w) {
    values.push_back(call->weights[w].value);
    const bool last = w + 1 == call->decoding || w + 1 == call->weights.size();
    call->begin.push_back(last ? aligned(call->end(w)) : call->end(w));
  }
  const auto options = values.front().options().requires_grad(false);
  keep(tables.weights, x.columns, call->columns(), options);
  keep(tables.gradients, x.columns, call->columns(), options);
  call->table = tables.weights;
  call->gradients = tables.gradients;
  const auto n = values.size();
  auto out = Products::apply(at::TensorList(values), call);
  GeneProducts products;
  products.expression.assign(out.begin(), out.begin() + n);
  products.gram.assign(out.begin() + n, out.begin() + 2 * n);
  if (rows.defined()) products.rows = out.back();
  return products;
}

}  // namespace cellmill::nn
