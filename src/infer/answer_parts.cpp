#include "infer/answer_parts.h"

#include <unordered_set>

#include "infer/load_model.h"

namespace cellmill::infer {

LabelColumns::LabelColumns(const Input& input)
    : fields_(input.fields()), codes_(input.fields().size()) {
  for (std::size_t f = 0; f < fields_.size(); ++f) present_.push_back(input.has_field(f));
}

void LabelColumns::add(const Cells& cells) {
  for (std::size_t i = 0; i < cells.own.size(); ++i)
    codes_[i % fields_.size()].push_back(cells.own[i]);
}

std::vector<Column> LabelColumns::columns() const {
  std::vector<Column> columns;
  for (std::size_t f = 0; f < fields_.size(); ++f)
    if (present_[f])
      columns.push_back({fields_[f].name, Categorical{codes_[f], fields_[f].categories}});
  return columns;
}

data::Batch on_device(data::Batch batch, c10::Device device) {
  for (at::Tensor* tensor : {&batch.indptr, &batch.indices, &batch.values, &batch.labels})
    *tensor = tensor->to(device);
  return batch;
}

std::map<std::string, std::string> origin_facts(const std::string& command,
                                                const LoadedModel& loaded,
                                                const std::string& input) {
  return {{"cellmill_command", command},
          {"cellmill_checkpoint", loaded.checkpoint.string()},
          {"cellmill_step", std::to_string(loaded.step)},
          {"cellmill_model", loaded.model->name()},
          {"cellmill_input", input}};
}

Column in_input(const Input& input, const data::Vocabulary& model) {
  const std::unordered_set<std::string> missing(input.genes().missing.begin(),
                                                input.genes().missing.end());
  std::vector<bool> present;
  for (const std::string& gene : model.genes) present.push_back(!missing.count(gene));
  return {"in_input", present};
}

}  // namespace cellmill::infer
