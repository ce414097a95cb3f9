// The step of the cycle autoencoder without any cells x genes matrix: a generated cell is U D^T,
// and whatever reads it needs only U and products of weights with weights (nn/gene_products.h),
// which cost the same for any number of cells. Beside plain_passes, whose results it equals.
#include <ATen/ATen.h>

#include <algorithm>

#include "base/log.h"
#include "models/cycle_autoencoder.h"
#include "models/cycle_cost.h"
#include "nn/losses.h"

namespace cellmill::models {
namespace {

std::vector<at::Tensor> slice(const std::vector<at::Tensor>& all, std::size_t begin,
                              std::size_t count) {
  return {all.begin() + static_cast<std::ptrdiff_t>(begin),
          all.begin() + static_cast<std::ptrdiff_t>(begin + count)};
}

}  // namespace

CycleOutputs CycleAutoencoder::factored_passes(const data::Batch& batch, const at::Tensor& targets,
                                               const StepContext& context) {
  const auto from = generator_.routes(batch.labels), to = generator_.routes(targets);
  const auto decoding = generator_.decoding();
  auto encoding = generator_.encoding();
  const auto fields = encoding.size(), first_encoder = decoding.size();
  const auto judges = classifier_.first_layer();
  encoding.insert(encoding.end(), judges.begin(), judges.end());
  const auto products = nn::gene_products(
      csr(batch), decoding, encoding, populations_ ? populations_->means() : at::Tensor(), tables_,
      {context.part, context.parts, context.sum_over_ranks});
  const auto encoders = [&](const std::vector<at::Tensor>& of) {
    auto list = slice(of, first_encoder, fields);
    list.insert(list.begin(), of.front());  // the base encodes with the weight it decodes with
    return list;
  };
  const auto judged = [&](const std::vector<at::Tensor>& of) {
    return slice(of, first_encoder + fields, judges.size());
  };
  const auto times = [](const at::Tensor& u, std::vector<at::Tensor> weights) {
    for (auto& weight : weights) weight = at::mm(u, weight);
    return weights;
  };

  CycleOutputs out;
  auto first = generator_.codes(encoders(products.expression), from, to);
  const auto& u1 = first.coefficients;
  auto second = generator_.codes(times(u1, encoders(products.gram)), to, from);
  const auto& u2 = second.coefficients;
  out.target_logits = classifier_.logits_after_first(times(u1, judged(products.gram)), true);
  out.real_logits = classifier_.logits_after_first(judged(products.expression), false);

  const auto gram = at::cat(slice(products.gram, 0, first_encoder), 1);
  const auto expression = at::cat(slice(products.expression, 0, first_encoder), 1);
  out.squared_error = (batch.values.to(dtype_).square().sum(at::kDouble) +
                       ((at::mm(u2, gram) - 2 * expression) * u2).sum(at::kDouble))
                          .to(dtype_);  // a difference of large sums
  if (populations_) {
    const auto keys = match_keys(batch.labels, targets);
    auto sums = nn::population_sums(u1, keys, populations_->count());
    context.sum_over_ranks(sums);
    out.match = nn::population_matching(
        u1, keys, sums, {gram, products.rows, populations_->means().square().sum(1)});
  }
  out.first.hidden = std::move(first.hidden);
  out.second.hidden = std::move(second.hidden);
  out.losses.touched = generator_.touched(from, to);
  return out;
}

bool CycleAutoencoder::factored(const data::Batch& batch, const StepContext& context) {
  if (options_.compute != "auto") return options_.compute == "factored";
  const auto parts = static_cast<double>(context.parts);
  const auto cells = static_cast<double>(batch.global_cells) / static_cast<double>(context.pieces);
  const auto entries = static_cast<double>(batch.values.numel());
  const auto forms = cycle_step_forms(
      options_, vocabulary_,
      {cells, entries / std::max(cells, 1.0), parts, batch.values.device().is_cpu()});
  if (!said_form_) {
    said_form_ = true;
    const auto gflop = [&](std::size_t form) {
      const auto& cost = forms.forms[form].cost;
      return 1e-9 * (cost.flop + cost.full_flop + cost.sparse_flop);
    };
    const auto other = 1 - forms.chosen;
    log::info("compute: {} ({:.3g} GFLOP a step and rank for {:.0f} cells; {}: {:.3g})",
              forms.forms[forms.chosen].name, gflop(forms.chosen), cells, forms.forms[other].name,
              gflop(other));
  }
  return forms.chosen == 1;
}

}  // namespace cellmill::models
