#pragma once
// Which contexts a model's classifier sees in cells.
#include <string>
#include <vector>

#include "infer/input.h"
#include "infer/load_model.h"
#include "infer/result_file.h"

namespace cellmill::infer {

/// How often the most probable category is the cell's own label, where it has one.
struct FieldAgreement {
  std::string field;
  std::int64_t known = 0, agree = 0;
};

/// Reads the input to its end. obs: the input's labels, `predicted_FIELD` and
/// `predicted_FIELD_probability`; obsm: `probability_FIELD`.
std::vector<FieldAgreement> classify(LoadedModel& loaded, Input& input, Annotations& annotations);
std::string text_of(const std::vector<FieldAgreement>& fields);

}  // namespace cellmill::infer
