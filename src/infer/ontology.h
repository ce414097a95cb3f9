#pragma once
// Terms and what they are kinds of, for answers at the level that they are sure of. Read from an
// .obo file ([Term] with id, name, exact synonyms, is_a; obsolete ones left out) or from JSON:
// {"CL:0000236": ["CL:0000945"], ...}, child to parents. Terms are found by id, or by name or exact
// synonym whatever the case.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "infer/factor_prediction.h"

namespace cellmill::infer {

class Ontology {
 public:
  /// Throws DataError (66, 65) for a file that is not there, is neither, or has a cycle.
  explicit Ontology(const std::filesystem::path& file);
  Ontology(std::map<std::string, std::vector<std::string>> parents,
           std::map<std::string, std::string> names);

  /// The id that a label means, if it is here.
  std::optional<std::string> find(const std::string& label) const;
  /// The id if it has no name.
  std::string name(const std::string& id) const;
  /// The term itself and all above it.
  std::vector<std::string> lineage(const std::string& id) const;
  /// Steps of the longest way to a term without parents.
  std::int64_t depth(const std::string& id) const;

 private:
  void read_obo(const std::filesystem::path& file);
  void read_json(const std::filesystem::path& file);
  void index(const std::string& file);

  std::map<std::string, std::vector<std::string>> parents_;
  std::map<std::string, std::string> name_;
  std::map<std::string, std::string> id_;  ///< by id, name or synonym in lower case
  std::map<std::string, std::int64_t> depth_;
};

struct RolledUp {
  std::vector<std::string> term, name;  ///< of each cell; empty: nothing is sure enough
  std::vector<double> probability;
  std::vector<std::string> unknown;  ///< labels that the ontology lacks: nothing is above them
};

/// Of each cell the deepest term, among its most probable label and what lies above that, of which
/// the labels at or below it have `threshold` of the probability together.
RolledUp roll_up(const PredictedField& field, const Ontology& ontology, double threshold);

}  // namespace cellmill::infer
