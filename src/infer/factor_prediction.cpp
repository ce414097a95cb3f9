#include "infer/factor_prediction.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/format.h"
#include "infer/answer_parts.h"

namespace cellmill::infer {
namespace {

template <class T>
std::vector<T> values_of(const at::Tensor& tensor) {
  const auto own = tensor.to(at::kCPU, c10::CppTypeToScalarType<T>::value).contiguous();
  return {own.template const_data_ptr<T>(), own.template const_data_ptr<T>() + own.numel()};
}

PredictedField predicted(const models::MetadataField& field, const at::Tensor& probabilities,
                         const at::Tensor& values) {
  PredictedField answer{field.name, field.group,
                        field.kind == models::MetadataField::Kind::kCategory, field.words};
  answer.probabilities = probabilities.to(at::kCPU, at::kDouble);
  answer.probabilities = answer.probabilities / answer.probabilities.sum(1, true);
  const auto [probability, label] = answer.probabilities.max(1);
  answer.label = values_of<std::int64_t>(label);
  answer.probability = values_of<double>(probability);
  if (values.defined())
    answer.value = values_of<double>(
        values.to(at::kCPU, at::kDouble).gather(1, label.unsqueeze(1)).squeeze(1));
  return answer;
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

at::Tensor stacked(const std::vector<at::Tensor>& rows) {
  return rows.empty() || !rows.front().defined() ? at::Tensor() : at::cat(rows);
}

at::Tensor totals_of(const data::Batch& cells) {
  const auto rows = at::repeat_interleave(cells.indptr.narrow(0, 1, cells.size()) -
                                          cells.indptr.narrow(0, 0, cells.size()));
  return at::zeros({cells.size()}, at::kDouble).index_add_(0, rows, cells.values.to(at::kDouble));
}

}  // namespace

data::Batch batch_of_counts(const at::Tensor& counts, std::int64_t first) {
  const auto dense = counts.to(at::kCPU, at::kFloat).contiguous();
  const std::int64_t cells = dense.size(0), genes = dense.size(1);
  const auto places = at::nonzero(dense);
  data::Batch batch;
  batch.indptr = at::zeros({cells + 1}, at::kLong);
  batch.indptr.narrow(0, 1, cells).copy_((dense != 0).sum(1).cumsum(0));
  batch.indices = places.select(1, 1).contiguous();
  batch.values = dense.index({places.select(1, 0), places.select(1, 1)});
  batch.labels = at::empty({cells, 0}, at::kLong);
  batch.cells = at::arange(first, first + cells, at::kLong);
  batch.genes = genes;
  batch.global_cells = cells;
  return batch;
}

std::string PredictedField::text(std::size_t cell) const {
  const auto& word = words[static_cast<std::size_t>(label[cell])];
  return category ? word : fmt::format("{:.4g} {}", value[cell], word);
}

Predictions predict_metadata(models::MetadataModel& model, const data::Batch& cells,
                             Reconstruct reconstruct, c10::Device device) {
  const at::NoGradGuard no_gradients;
  const auto mode = reconstruct == Reconstruct::kYes ? models::ReadMode::kLabelsAndExpression
                                                     : models::ReadMode::kLabels;
  const auto reading = model.read_metadata(on_device(cells, device), mode);
  Predictions answer;
  answer.cells = cells.size();
  const auto& fields = model.metadata_fields();
  for (std::size_t f = 0; f < fields.size(); ++f)
    if (reading.probabilities[f].defined() && !fields[f].words.empty())
      answer.fields.push_back(predicted(fields[f], reading.probabilities[f], reading.values[f]));
  for (std::size_t g = 0; g < models::kMetadataGroups; ++g)
    answer.latents[g] = reading.latents[g].defined() ? reading.latents[g].to(at::kCPU, at::kFloat)
                                                     : at::empty({cells.size(), 0}, at::kFloat);
  if (reading.decoded.defined()) {
    const auto expected = model.proportions(reading.decoded).cpu() * totals_of(cells).unsqueeze(1);
    answer.counts = at::round(expected).to(at::kLong);
  }
  return answer;
}

Predictions joined(std::vector<Predictions> parts) {
  if (parts.empty()) return {};
  Predictions all = std::move(parts.front());
  std::vector<std::vector<at::Tensor>> probabilities(all.fields.size());
  std::array<std::vector<at::Tensor>, models::kMetadataGroups> latents;
  std::vector<at::Tensor> counts = {all.counts};
  for (std::size_t f = 0; f < all.fields.size(); ++f)
    probabilities[f] = {all.fields[f].probabilities};
  for (std::size_t g = 0; g < latents.size(); ++g) latents[g] = {all.latents[g]};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    all.cells += parts[i].cells;
    counts.push_back(parts[i].counts);
    for (std::size_t g = 0; g < latents.size(); ++g) latents[g].push_back(parts[i].latents[g]);
    for (std::size_t f = 0; f < all.fields.size(); ++f) {
      const auto& field = parts[i].fields[f];
      probabilities[f].push_back(field.probabilities);
      append(all.fields[f].label, field.label);
      append(all.fields[f].probability, field.probability);
      append(all.fields[f].value, field.value);
    }
  }
  for (std::size_t f = 0; f < all.fields.size(); ++f)
    all.fields[f].probabilities = stacked(probabilities[f]);
  for (std::size_t g = 0; g < latents.size(); ++g) all.latents[g] = stacked(latents[g]);
  all.counts = stacked(counts);
  return all;
}

}  // namespace cellmill::infer
