#include "infer/api_names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace cellmill::infer {
namespace {

using Names = std::pair<const char*, const char*>;
constexpr std::array<Names, 9> kNames = {{{"age", "age_years"},
                                          {"cell_line", "cell_line_ontology_id"},
                                          {"cell_type", "cell_type_ontology_id"},
                                          {"disease", "disease_ontology_id"},
                                          {"tissue", "tissue_ontology_id"},
                                          {"perturbation", "perturbation_ontology_id"},
                                          {"dose", "perturbation_dose"},
                                          {"time", "perturbation_time"},
                                          {"instrument", "platform"}}};

}  // namespace

std::string api_name(const std::string& field) {
  for (const auto& [own, theirs] : kNames)
    if (field == own) return theirs;
  return field;
}

std::optional<std::size_t> field_named(const std::string& name,
                                       const std::vector<models::MetadataField>& fields) {
  const auto place = [&](const auto& is) -> std::optional<std::size_t> {
    const auto found = std::find_if(fields.begin(), fields.end(), is);
    if (found == fields.end()) return {};
    return static_cast<std::size_t>(found - fields.begin());
  };
  if (const auto own = place([&](const auto& field) { return field.name == name; })) return own;
  return place([&](const auto& field) { return api_name(field.name) == name; });
}

}  // namespace cellmill::infer
