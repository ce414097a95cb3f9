#include "infer/classification.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/format.h"
#include "infer/answer_parts.h"
#include "models/capabilities.h"

namespace cellmill::infer {

std::vector<FieldAgreement> classify(LoadedModel& loaded, Input& input, Annotations& annotations) {
  auto& model = require<models::ContextClassifier>(loaded, "classify contexts");
  const auto& fields = loaded.vocabulary.fields;
  LabelColumns labels(input);
  std::vector<std::vector<at::Tensor>> parts(fields.size());
  std::vector<FieldAgreement> agreements;
  for (const data::Field& field : fields) agreements.push_back({field.name});
  const at::NoGradGuard no_gradients;
  while (auto cells = input.next()) {
    const auto probabilities = model.context_probabilities(on_device(cells->batch, loaded.device));
    for (std::size_t f = 0; f < fields.size(); ++f) {
      parts[f].push_back(probabilities[f].to(at::kCPU, at::kFloat));
      const at::Tensor own = cells->batch.labels.select(1, static_cast<std::int64_t>(f));
      agreements[f].known += (own >= 0).sum().item<std::int64_t>();
      agreements[f].agree += (parts[f].back().argmax(1) == own).sum().item<std::int64_t>();
    }
    labels.add(*cells);
  }
  annotations.obs = labels.columns();
  for (std::size_t f = 0; f < fields.size(); ++f) {
    const auto& [name, categories] = fields[f];
    const at::Tensor all =
        parts[f].empty() ? at::zeros({0, static_cast<std::int64_t>(categories.size())}, at::kFloat)
                         : at::cat(parts[f]).contiguous();
    Categorical predicted{{}, categories};
    std::vector<float> probability;
    if (all.size(0) > 0) {
      const auto [best, place] = all.max(1);
      const at::Tensor codes = place.to(at::kInt);
      predicted.codes.assign(codes.const_data_ptr<std::int32_t>(),
                             codes.const_data_ptr<std::int32_t>() + codes.numel());
      probability.assign(best.const_data_ptr<float>(), best.const_data_ptr<float>() + best.numel());
    }
    annotations.obs.push_back({"predicted_" + name, std::move(predicted)});
    annotations.obs.push_back({"predicted_" + name + "_probability", std::move(probability)});
    annotations.obsm.push_back({"probability_" + name, categories, all});
  }
  return agreements;
}

std::string text_of(const std::vector<FieldAgreement>& fields) {
  std::string text = fmt::format("{:<24}{:>14}{:>12}", "field", "cells labelled", "agree");
  for (const FieldAgreement& f : fields)
    text += fmt::format("\n{:<24}{:>14}{:>12}", f.field, f.known,
                        f.known ? fmt::format("{:.1f} %", 100.0 * static_cast<double>(f.agree) /
                                                              static_cast<double>(f.known))
                                : "-");
  return text;
}

}  // namespace cellmill::infer
