#pragma once
// The names that metadata have in the prediction API (GEM-1's): "cell_type_ontology_id" is our
// "cell_type", "perturbation_dose" our "dose". A field without such a name keeps its own.
#include <optional>
#include <string>
#include <vector>

#include "models/metadata_model.h"

namespace cellmill::infer {

/// In an answer's `metadata`.
std::string api_name(const std::string& field);
/// The field that a request means: by its own name, or by the API's.
std::optional<std::size_t> field_named(const std::string& name,
                                       const std::vector<models::MetadataField>& fields);

}  // namespace cellmill::infer
