#include "models/factor_corrections.h"

#include <ATen/ATen.h>

#include <algorithm>
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

std::int64_t kind_of(const std::string& text) {
  const auto found = std::find(kCorrectionKinds.begin(), kCorrectionKinds.end(), text);
  return found == kCorrectionKinds.end() ? -1 : found - kCorrectionKinds.begin();
}

/// Lists of genes as [lists, T], -1 where a list has no more.
at::Tensor table_of(const std::vector<std::vector<std::int64_t>>& lists) {
  std::size_t most = 1;
  for (const auto& list : lists) most = std::max(most, list.size());
  auto table = at::full({static_cast<std::int64_t>(lists.size()), static_cast<std::int64_t>(most)},
                        -1, at::kLong);
  auto* row = table.mutable_data_ptr<std::int64_t>();
  for (const auto& list : lists) {
    std::copy(list.begin(), list.end(), row);
    row += most;
  }
  return table;
}

at::Tensor rows(const at::Tensor& table, const at::Tensor& codes) {
  return table.index_select(0, codes.masked_fill(codes < 0, table.size(0) - 1));
}

}  // namespace

FactorCorrections::FactorCorrections(const data::Vocabulary& vocabulary, const std::string& targets,
                                     const std::string& kinds)
    : targets_column_(column_of(vocabulary, targets)),
      kinds_column_(column_of(vocabulary, kinds)),
      targets_name_(targets),
      kinds_name_(kinds) {
  for (std::size_t g = 0; g < vocabulary.genes.size(); ++g)
    gene_.emplace(vocabulary.genes[g], static_cast<std::int64_t>(g));
  std::vector<std::vector<std::int64_t>> hit;
  for (const auto& text : vocabulary.fields[targets_column_].categories)
    hit.push_back(genes_of(text));
  hit.emplace_back();
  genes_ = table_of(hit);
  std::vector<std::int64_t> kind;
  for (const auto& text : vocabulary.fields[kinds_column_].categories)
    kind.push_back(kind_of(text));
  kind.push_back(-1);
  kind_ = at::tensor(kind, at::kLong);
}

std::vector<std::int64_t> FactorCorrections::genes_of(const std::string& text) const {
  std::vector<std::int64_t> genes;
  for (const auto& word : words_of(text))
    if (const auto found = gene_.find(word); found != gene_.end()) genes.push_back(found->second);
  return genes;
}

void FactorCorrections::select(const at::Tensor& labels, at::Tensor& targets,
                               at::Tensor& kinds) const {
  const auto kind = rows(kind_, labels.select(1, kinds_column_)).unsqueeze(1);
  targets = rows(genes_, labels.select(1, targets_column_)).masked_fill(kind < 0, -1);
  kinds = at::clamp_min(kind, 0).expand_as(targets);
}

void FactorCorrections::select(const std::vector<Metadata>& samples, at::Tensor& targets,
                               at::Tensor& kinds) const {
  std::vector<std::vector<std::int64_t>> hit;
  std::vector<std::int64_t> how;
  for (const auto& sample : samples) {
    const auto kind = sample.find(kinds_name_), target = sample.find(targets_name_);
    how.push_back(kind == sample.end() ? -1 : kind_of(kind->second));
    hit.push_back(how.back() < 0 || target == sample.end() ? std::vector<std::int64_t>()
                                                           : genes_of(target->second));
  }
  targets = table_of(hit);
  kinds = at::clamp_min(at::tensor(how, at::kLong), 0).unsqueeze(1).expand_as(targets);
}

void FactorCorrections::to(c10::Device device) {
  genes_ = genes_.to(device);
  kind_ = kind_.to(device);
}

}  // namespace cellmill::models
