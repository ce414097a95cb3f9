#include "nn/cell_products.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/autograd.h>

#include "nn/losses.h"

namespace cellmill::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Subtracts sparse cells from `cells` in place.
void subtract(const Csr& x, at::Tensor& cells) {
  const auto indices = x.indices.to(at::kInt);
  const auto values = x.values.to(cells.scalar_type());
  const auto* indptr = x.indptr.const_data_ptr<std::int64_t>();
  const auto* index = indices.const_data_ptr<std::int32_t>();
  AT_DISPATCH_FLOATING_TYPES(cells.scalar_type(), "subtract", [&] {
    const auto* value = values.const_data_ptr<scalar_t>();
    auto* out = cells.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, x.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto row = begin; row < end; ++row)
        for (auto k = indptr[row]; k < indptr[row + 1]; ++k)
          out[row * x.columns + index[k]] -= value[k];
    });
  });
}

/// |U D^T - X|^2 of sparse X. What the loss is weighed with is put to the small factors, so that
/// the difference is written once and read three times.
class SquaredError : public torch::autograd::Function<SquaredError> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& u, const at::Tensor& d,
                            const at::Tensor& indptr, const at::Tensor& indices,
                            const at::Tensor& values) {
    auto difference = at::mm(u, d.t());
    subtract({indptr, indices, values, d.size(0)}, difference);
    ctx->save_for_backward({u, d, difference});
    const auto of_cell = at::linalg_vector_norm(difference, 2, 1);
    return of_cell.to(at::kDouble).square().sum().to(u.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, variable_list gradients) {
    const auto saved = ctx->get_saved_variables();
    const auto &u = saved[0], &d = saved[1], &difference = saved[2];
    const auto weight = 2 * gradients[0];
    return {at::mm(difference, d) * weight, at::mm(difference.t(), u * weight), {}, {}, {}};
  }
};

at::Tensor side_by_side(const std::vector<GeneWeight>& weights, std::int64_t genes) {
  std::vector<at::Tensor> columns;
  std::int64_t count = 0;
  for (const auto& weight : weights) {
    const auto& w = weight.value;
    columns.push_back(w.dim() == 1 ? w.unsqueeze(1) : weight.by_gene ? w : w.t());
    count += columns.back().size(1);
  }
  constexpr std::int64_t kWhole = 16;  // matrix products want rows of whole cache lines
  if (count % kWhole != 0)
    columns.push_back(at::zeros({genes, kWhole - count % kWhole},
                                weights.front().value.options().requires_grad(false)));
  return at::cat(columns, 1);
}

at::Tensor stacked(const std::vector<GeneWeight>& weights) {
  std::vector<at::Tensor> rows;
  for (const auto& weight : weights) rows.push_back(weight.value);
  return at::cat(rows, 0);
}

/// Appends the columns of a product with stacked weights.
void take(const at::Tensor& product, const std::vector<GeneWeight>& weights,
          std::vector<at::Tensor>& parts) {
  std::int64_t begin = 0;
  for (const auto& weight : weights) {
    const auto n = weight.value.size(0);
    parts.push_back(product.slice(1, begin, begin + n));
    begin += n;
  }
}

}  // namespace

CellProducts::CellProducts(const Csr& x, const std::vector<GeneWeight>& decoding,
                           const std::vector<GeneWeight>& encoding,
                           const std::vector<GeneWeight>& judging, GeneTables& tables)
    : x_(x),
      encoding_(encoding),
      judging_(judging),
      tables_(tables),
      decoder_(side_by_side(decoding, x.columns)),
      encoder_(stacked(encoding)) {
  const auto device = x.values.device().type();
  if (device != c10::kCPU || at::autocast::is_autocast_enabled(device))
    dense_ = densify(x, decoder_.scalar_type());
}

std::vector<at::Tensor> CellProducts::expression() const {
  std::vector<at::Tensor> parts;
  if (dense_.defined()) {
    take(at::linear(dense_, encoder_), encoding_, parts);
    take(at::linear(dense_, stacked(judging_)), judging_, parts);
    return parts;
  }
  auto weights = encoding_;
  weights.insert(weights.end(), judging_.begin(), judging_.end());
  for (auto& weight : weights) weight.frozen_in_gram = true;  // there is none
  return gene_products(x_, {}, weights, {}, tables_).expression;
}

at::Tensor CellProducts::padded(const at::Tensor& coefficients) const {
  const auto missing = decoder_.size(1) - coefficients.size(1);
  return missing == 0 ? coefficients : at::constant_pad_nd(coefficients, {0, missing});
}

at::Tensor CellProducts::generate(const at::Tensor& coefficients) const {
  return at::linear(padded(coefficients), decoder_);
}

std::vector<at::Tensor> CellProducts::encode(const at::Tensor& cells) const {
  std::vector<at::Tensor> parts;
  take(at::linear(cells, encoder_), encoding_, parts);
  take(at::linear(cells, stacked(judging_).detach()), judging_, parts);
  return parts;
}

at::Tensor CellProducts::squared_error(const at::Tensor& coefficients) const {
  if (dense_.defined()) return squared_error_sum(generate(coefficients), dense_);
  return SquaredError::apply(padded(coefficients), decoder_, x_.indptr, x_.indices, x_.values);
}

}  // namespace cellmill::nn
