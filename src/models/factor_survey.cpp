#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "models/factor_markers.h"
#include "models/factor_model.h"

namespace cellmill::models {

void FactorModel::survey(const data::Batch& batch) {
  const auto cells = input(batch);
  const auto genes = batch.genes;
  const auto normalised = network_.normalised(cells);
  const auto y = normalised.values.to(at::kDouble);
  const auto gene = batch.indices.to(at::kLong);
  surveyed_.narrow(0, 0, genes).index_add_(0, gene, y);
  surveyed_.narrow(0, genes, genes).index_add_(0, gene, y.square());
  surveyed_.narrow(0, 2 * genes, genes).index_add_(0, gene, batch.values.to(at::kDouble));
  surveyed_[3 * genes] += batch.size();
  auto begin = 3 * genes + 1;
  const auto next = [&](std::int64_t size) {
    begin += size;
    return surveyed_.narrow(0, begin - size, size);
  };
  for (const auto& field : network_.shape().fields) {
    const auto codes = batch.labels.select(1, field.column);
    next(field.texts()).add_(at::bincount(codes.masked_select(codes >= 0), {}, field.texts()));
    if (!chooses_markers(field)) continue;
    const auto words = encoded(field, codes, dtype_);
    add_marker_sums(next(marker_sums_size(field.size(), genes)), normalised,
                    words.argmax(1).masked_fill(words.sum(1) != 1, -1));
  }
}

void FactorModel::finish_survey() {
  const at::NoGradGuard no_gradients;
  const auto genes = network_.shape().genes;
  const auto cells = at::clamp_min(surveyed_[3 * genes], 1);
  const auto mean = surveyed_.narrow(0, 0, genes) / cells;
  const auto variance = at::clamp_min(surveyed_.narrow(0, genes, genes) / cells - mean.square(), 0);
  network_.gene_mean.copy_(mean);
  network_.gene_variance.copy_(variance);
  finish_fields();
  const auto set = [&](const char* name, const at::Tensor& value) {
    network_.parameter(name).detach().copy_(value);
  };
  if (options_.chosen_likelihood() == "normal") {
    set("dec.out.bias", mean);
    set("lik.log_var", at::log(variance + 0.01));
    if (options_.loss.prior_reconstruction > 0) set("lik.log_var_prior", at::log(variance + 0.01));
    return;
  }
  const auto counts = surveyed_.narrow(0, 2 * genes, genes) + 0.5;
  set("dec.out.bias", at::log(counts / counts.sum()));
}

void FactorModel::finish_fields() {
  const auto genes = network_.shape().genes;
  auto read = at::zeros({genes}, surveyed_.options().dtype(at::kBool));
  auto begin = 3 * genes + 1;
  const auto next = [&](std::int64_t size) {
    begin += size;
    return surveyed_.narrow(0, begin - size, size);
  };
  for (auto& field : network_.fields()) {
    const auto cells = next(field.texts());
    if (field.is_category())
      keep_frequent(field, cells, options_.fields.min_count);
    else
      fit_number(field, vocabulary_.fields[static_cast<std::size_t>(field.column)], cells);
    if (chooses_markers(field))
      read.logical_or_(chosen_markers(next(marker_sums_size(field.size(), genes)), genes,
                                      options_.markers.genes));
  }
  // A gene of endless variance is a constant to the encoder.
  if (!options_.markers.fields.empty())
    network_.gene_variance.masked_fill_(read.logical_not(), 1e30);
}

}  // namespace cellmill::models
