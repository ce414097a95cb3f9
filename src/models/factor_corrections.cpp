#include "models/factor_corrections.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"
#include "models/factor_fields.h"

namespace cellmill::models {
namespace {

std::int64_t column_of(const data::Vocabulary& vocabulary, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& field : vocabulary.fields) names.push_back(field.name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw UsageError("model.factor_model.correction: no field '" + name + "'",
                     did_you_mean(name, names), Exit::kConfig);
  return found - names.begin();
}

at::Tensor rows(const at::Tensor& table, const at::Tensor& codes) {
  return table.index_select(0, codes.masked_fill(codes < 0, table.size(0) - 1));
}

}  // namespace

FactorCorrections::FactorCorrections(const data::Vocabulary& vocabulary, const std::string& targets,
                                     const std::string& kinds)
    : targets_column_(column_of(vocabulary, targets)), kinds_column_(column_of(vocabulary, kinds)) {
  std::unordered_map<std::string, std::int64_t> gene;
  for (std::size_t g = 0; g < vocabulary.genes.size(); ++g)
    gene.emplace(vocabulary.genes[g], static_cast<std::int64_t>(g));
  std::vector<std::vector<std::int64_t>> hit;
  std::size_t most = 1;
  for (const auto& text : vocabulary.fields[targets_column_].categories) {
    auto& genes = hit.emplace_back();
    for (const auto& word : words_of(text))
      if (const auto found = gene.find(word); found != gene.end()) genes.push_back(found->second);
    most = std::max(most, genes.size());
  }
  genes_ = at::full({static_cast<std::int64_t>(hit.size()) + 1, static_cast<std::int64_t>(most)},
                    -1, at::kLong);
  for (std::size_t t = 0; t < hit.size(); ++t)
    for (std::size_t k = 0; k < hit[t].size(); ++k)
      genes_[static_cast<std::int64_t>(t)][static_cast<std::int64_t>(k)] = hit[t][k];
  std::vector<std::int64_t> kind;
  for (const auto& text : vocabulary.fields[kinds_column_].categories) {
    const auto found = std::find(kCorrectionKinds.begin(), kCorrectionKinds.end(), text);
    kind.push_back(found == kCorrectionKinds.end() ? -1 : found - kCorrectionKinds.begin());
  }
  kind.push_back(-1);
  kind_ = at::tensor(kind, at::kLong);
}

void FactorCorrections::select(const at::Tensor& labels, at::Tensor& targets,
                               at::Tensor& kinds) const {
  const auto kind = rows(kind_, labels.select(1, kinds_column_)).unsqueeze(1);
  targets = rows(genes_, labels.select(1, targets_column_)).masked_fill(kind < 0, -1);
  kinds = at::clamp_min(kind, 0).expand_as(targets);
}

void FactorCorrections::to(c10::Device device) {
  genes_ = genes_.to(device);
  kind_ = kind_.to(device);
}

}  // namespace cellmill::models
