#include "infer/contributions.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/format.h"
#include "infer/answer_parts.h"
#include "models/capabilities.h"

namespace cellmill::infer {
namespace {

constexpr const char* kAbility = "say what its heads contribute";

}  // namespace

std::vector<std::string> contribution_matrices(LoadedModel& loaded, bool logits) {
  if (!logits) return {};
  std::vector<std::string> names{"X"};
  for (const std::string& head : require<models::Contributor>(loaded, kAbility).heads())
    names.push_back(head);
  return names;
}

std::vector<HeadSummary> contribute(LoadedModel& loaded, Input& input, ResultFile& output,
                                    bool logits, Annotations& annotations) {
  auto& model = require<models::Contributor>(loaded, kAbility);
  const std::vector<std::string> heads = model.heads();
  LabelColumns labels(input);
  std::vector<at::Tensor> norms;
  const at::NoGradGuard no_gradients;
  while (auto cells = input.next()) {
    const auto terms = model.contributions(on_device(cells->batch, loaded.device));
    std::vector<at::Tensor> batch_norms;
    for (std::size_t h = 0; h < heads.size(); ++h) {
      batch_norms.push_back(terms[h].norm(2, 1).to(at::kCPU, at::kFloat));
      if (logits) output.append(heads[h], terms[h].cpu());
    }
    if (logits) output.append("X", at::stack(terms).sum(0).cpu());
    norms.push_back(at::stack(batch_norms, 1));
    labels.add(*cells);
  }
  const at::Tensor all = norms.empty()
                             ? at::zeros({0, static_cast<std::int64_t>(heads.size())}, at::kFloat)
                             : at::cat(norms).contiguous();
  annotations.obs = labels.columns();
  std::vector<HeadSummary> summaries;
  for (std::size_t h = 0; h < heads.size(); ++h) {
    const at::Tensor column = all.select(1, static_cast<std::int64_t>(h)).contiguous();
    const auto* begin = column.const_data_ptr<float>();
    annotations.obs.push_back(
        {"norm_" + heads[h], std::vector<float>(begin, begin + column.numel())});
    if (column.numel() > 0)
      summaries.push_back({heads[h], column.mean().item<double>(), column.min().item<double>(),
                           column.max().item<double>()});
  }
  annotations.obsm.push_back({"head_norms", heads, all});
  annotations.var.push_back(in_input(input, loaded.vocabulary));
  return summaries;
}

std::string text_of(const std::vector<HeadSummary>& heads) {
  std::string text =
      fmt::format("{:<24}{:>12}{:>12}{:>12}", "L2 norm of a head's term", "mean", "min", "max");
  for (const HeadSummary& h : heads)
    text += fmt::format("\n{:<24}{:>12.4g}{:>12.4g}{:>12.4g}", h.head, h.mean, h.low, h.high);
  return text;
}

}  // namespace cellmill::infer
