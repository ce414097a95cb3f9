#include "infer/counterfactual.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "base/format.h"
#include "infer/answer_parts.h"
#include "infer/contexts.h"
#include "models/capabilities.h"

namespace cellmill::infer {
namespace {

std::string request_text(const models::ContextRequest& request, const data::Vocabulary& model) {
  std::string text;
  for (std::size_t k = 0; k < request.fields.size(); ++k)
    text += (k ? ", " : "") + model.fields[request.fields[k]].name + "=" + request.values[k];
  return text;
}

void count(CounterfactualAnswer& answer, const Cells& cells, const CellRoles& roles,
           const models::ContextRequest& request, const Input& input) {
  const std::size_t fields = input.fields().size();
  answer.cells += cells.batch.size();
  for (std::int64_t i = 0; i < cells.batch.size(); ++i) {
    ++(roles.role[i] == Role::kNone     ? answer.unknown
       : roles.role[i] == Role::kWanted ? answer.unchanged
                                        : answer.changed);
    for (std::size_t k = 0; k < request.fields.size(); ++k) {
      const data::Field& field = input.fields()[request.fields[k]];
      const std::int32_t own = cells.own[i * fields + request.fields[k]];
      const std::string& was = own < 0 ? "(unknown)" : field.categories[own];
      if (!same_set(was, request.values[k])) ++answer.from[field.name + "=" + was];
    }
  }
}

// The requested fields say what X stands for; what they were is kept as source_FIELD.
void label(Annotations& annotations, const std::vector<Column>& own,
           const models::ContextRequest& request, const data::Vocabulary& model,
           std::vector<bool> changed) {
  const std::int32_t none = -1;
  for (std::size_t k = 0; k < request.fields.size(); ++k)
    annotations.obs.push_back(
        {model.fields[request.fields[k]].name,
         Categorical{std::vector<std::int32_t>(changed.size(), none + 1), {request.values[k]}}});
  for (const Column& column : own) {
    const bool asked =
        std::any_of(request.fields.begin(), request.fields.end(),
                    [&](std::int64_t f) { return model.fields[f].name == column.name; });
    annotations.obs.push_back({asked ? "source_" + column.name : column.name, column.values});
  }
  annotations.obs.push_back({"changed", std::move(changed)});
}

}  // namespace

CounterfactualAnswer generate(const CounterfactualTask& task, const CounterfactualOptions& options,
                              Annotations& annotations) {
  auto& model = require<models::Counterfactual>(task.loaded, "generate counterfactuals");
  const data::Vocabulary& vocabulary = task.loaded.vocabulary;
  const models::ContextRequest request = parse_contexts(options.set_context, vocabulary);
  const auto read_out =
      options.read_out == "direct" ? models::ReadOut::kDirect : models::ReadOut::kDelta;
  RoleFinder finder(request, options.match, vocabulary);
  Comparison comparison(task.reference != nullptr);
  LabelColumns labels(task.input);
  std::vector<bool> changed;
  CounterfactualAnswer answer;
  answer.request = request_text(request, vocabulary);
  answer.read_out = options.read_out;
  answer.match = finder.match_text();

  const at::NoGradGuard no_gradients;
  while (auto cells = task.input.next()) {
    const CellRoles roles = finder.roles(*cells, task.input);
    const at::Tensor generated =
        model.counterfactual(on_device(cells->batch, task.loaded.device), request, read_out).cpu();
    task.output.append("X", generated);
    comparison.add(cells->batch, roles, generated);
    labels.add(*cells);
    count(answer, *cells, roles, request, task.input);
    for (Role role : roles.role) changed.push_back(role != Role::kWanted);
  }
  while (auto cells = task.reference ? task.reference->next() : std::nullopt)
    comparison.add_reference(cells->batch, finder.roles(*cells, *task.reference));

  label(annotations, labels.columns(), request, vocabulary, std::move(changed));
  annotations.var.push_back(in_input(task.input, vocabulary));
  annotations.facts["cellmill_request"] = answer.request;
  annotations.facts["cellmill_read_out"] = answer.read_out;
  answer.comparison = comparison.report(finder.type_names(), "model, read-out " + options.read_out,
                                        options.min_cells);
  return answer;
}

}  // namespace cellmill::infer
