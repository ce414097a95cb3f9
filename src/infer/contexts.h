#pragma once
// The contexts that a user asks for, "cell_type=beta", and what the input's cells are to that
// question.
#include <map>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "infer/comparison.h"
#include "infer/input.h"
#include "models/capabilities.h"

namespace cellmill::infer {

/// Reads "field=value" texts. Throws UsageError for what is no such text, for a field given twice
/// or unknown to the model, and for a category that the model does not know, each with the nearest
/// names. "A+B" is accepted where A and B are known, alone or inside "+" of a category, and takes
/// the spelling of the category with the same elements if there is one; whether the field holds
/// sets is the model's to say.
models::ContextRequest parse_contexts(const std::vector<std::string>& settings,
                                      const data::Vocabulary& model);

/// "A+B" and "B+A" are one set.
bool same_set(const std::string& a, const std::string& b);

/// Sorts cells into source, wanted and neither, and into types: the combinations of the input's
/// labels of the match fields, at most kMaxTypes of them and one "(others)".
class RoleFinder {
 public:
  /// `match`: names of fields of the model; empty: all that the request leaves alone.
  RoleFinder(const models::ContextRequest& request, const std::vector<std::string>& match,
             const data::Vocabulary& model);
  CellRoles roles(const Cells& cells, const Input& input);
  const std::vector<std::string>& type_names() const { return type_names_; }
  /// The fields that make up a type: "cell_type, donor".
  std::string match_text() const;

 private:
  models::ContextRequest request_;
  std::vector<std::size_t> match_;
  std::vector<std::string> match_names_;
  std::map<std::string, std::int64_t> place_;
  std::vector<std::string> type_names_;
};

}  // namespace cellmill::infer
