#pragma once
// What the service asks of a model, and all that it knows of one: counts or metadata in, metadata,
// latents and counts out. It knows no tensor, no checkpoint and no file. One thread calls a
// predictor at a time. A row's answer is a function of that row and its seed: it depends neither
// on the rows beside it nor on when it is asked, but for the last bits of floating-point sums.
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/unset_vector.h"

namespace cellmill::serve {

/// In the order in which an answer lists them.
inline constexpr std::array<const char*, 3> kLatentNames = {"biological", "technical",
                                                            "perturbation"};

/// A metadata field of the model.
struct FieldFacts {
  enum class Kind { kCategory, kNumber };
  std::string name;           ///< "cell_type": key of the probabilities
  std::string metadata_name;  ///< "cell_type_ontology_id": key of the metadata
  std::size_t latent = 0;     ///< place in kLatentNames of the group that it belongs to
  Kind kind = Kind::kCategory;
  std::vector<std::string> labels;  ///< categories; units of a number ("" is one without)
  bool predicted = true;            ///< has a distribution over its labels
};

struct ModelFacts {
  std::string version;
  std::vector<std::string> gene_order;
  std::vector<FieldFacts> fields;
  bool bulk = false;            ///< bulk samples, otherwise single cells
  double total_count = 10'000;  ///< counts of a generated sample, unless the query says
  bool generates = true;        ///< answers Wanted rows too
};

/// The counts of a sample that are not 0, genes ascending.
struct Counts {
  UnsetVector<std::int32_t> genes;
  UnsetVector<float> values;
};

/// A sample whose metadata are asked.
struct Profile {
  Counts counts;
  std::uint64_t seed = 0;
};

/// A sample to generate.
struct Wanted {
  /// (place in ModelFacts::fields, text): one of the labels, of a number "10 um" or "45".
  std::vector<std::pair<std::size_t, std::string>> metadata;
  Counts reference;                         ///< empty: none
  std::array<bool, 3> from_reference = {};  ///< latents that the reference gives
  bool noise = false;                       ///< "sample generation": measurement noise on top
  bool deterministic_latents = false;       ///< means instead of draws
  double total_count = 0;                   ///< counts of the sample
  std::uint64_t seed = 0;
};

struct Prediction {
  std::array<std::vector<float>, 3> latents;
  /// By place in ModelFacts::fields, each summing to 1; empty where the field is not predicted, and
  /// of Wanted rows.
  std::vector<std::vector<float>> probabilities;
  std::vector<std::string> values;   ///< by the same place: "10 um" of a number, or ""
  std::vector<std::int32_t> counts;  ///< one a gene
};

/// Rows of one kind.
using Rows = std::variant<std::vector<Profile>, std::vector<Wanted>>;

class Predictor {
 public:
  virtual ~Predictor() = default;
  virtual const ModelFacts& facts() const = 0;
  /// One a row. What it throws is the answer to all rows of the call; a base Error's text may be
  /// shown to clients.
  virtual std::vector<Prediction> answer(const Rows& rows) = 0;
};

}  // namespace cellmill::serve
