#pragma once
// The metadata fields of the factor model: which group each belongs to, and how a label becomes
// numbers. A loader's code stands for a text; what the text says is worked out once a distinct text
// (a table of texts, last row: missing), so that encoding a batch is one selection of
// rows. A category is multi-hot over the words of its texts ('a|b' sets two), sorted by bytes. A
// number is its unit, one-hot, then its value: log(v + 1e-6), or v itself for an age, less the
// unit's mean over the training cells, over its deviation, within 6. What is missing, unreadable,
// negative or unknown is all zero.
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/chunk.h"
#include "models/factor_options.h"
#include "models/metadata_model.h"

namespace cellmill::models {

/// Of latents and their fields, in the order of the latents' columns.
inline constexpr auto kFactorGroups = kMetadataGroups;
inline constexpr auto kFactorGroupNames = kMetadataGroupNames;

struct FactorField {
  using Kind = MetadataField::Kind;
  std::string name;
  std::size_t group = 0;
  Kind kind = Kind::kCategory;
  bool classified = true;          ///< has a head
  std::vector<std::string> words;  ///< categories, or units
  std::int64_t column = -1;        ///< of the batch's labels
  /// Numbers: [texts + 1, width]. Categories: [texts + 1, T], places of the text's words; `size()`
  /// where it has no more.
  at::Tensor table;
  at::Tensor spread;     ///< numbers: [units, 2] mean and deviation of the value
  at::Tensor known;      ///< categories: [words] 0 for those of too few cells; undefined: all are
  at::Tensor embedding;  ///< [words, E] given vectors, which the prior reads too

  std::int64_t size() const { return static_cast<std::int64_t>(words.size()); }
  bool is_category() const { return kind == Kind::kCategory; }
  std::int64_t texts() const { return table.size(0) - 1; }
  std::int64_t width() const { return size() + (is_category() ? 0 : 1); }
};

/// The fields of the data in the order of the options. Throws UsageError (78) if a field of the
/// data is in no group or in two.
std::vector<FactorField> factor_fields(const FactorFieldOptions& options,
                                       const data::Vocabulary& vocabulary, at::ScalarType dtype);

/// Makes the scaled values of a number's table from how many training cells have each text, [texts]
/// float64.
void fit_number(FactorField& field, const data::Field& texts, const at::Tensor& cells);

/// Makes `known`, if it is defined, from the same counts.
void keep_frequent(FactorField& field, const at::Tensor& cells, std::int64_t min_count);

/// Why a text cannot be a value of the field; nothing: it can, or is missing.
std::optional<std::string> problem_of(const FactorField& field, const std::string& text);

/// [B, width] on the host, of texts that have no problem.
at::Tensor encoded(const FactorField& field, const std::vector<std::string>& texts,
                   at::ScalarType dtype);

/// [B, units]: what a scaled value [B] would be in each unit.
at::Tensor unscaled(const FactorField& field, const at::Tensor& value);

/// [B, width] of codes [B].
at::Tensor encoded(const FactorField& field, const at::Tensor& codes, at::ScalarType dtype);

/// "10 um" -> 10, "um"; without a unit only if one is `assumed`.
struct Measure {
  double value;
  std::string unit;
};
std::optional<Measure> read_measure(std::string_view text, std::string_view assumed = {});

/// Words of 'a | b', without blanks around them, none empty.
std::vector<std::string> words_of(std::string_view text);

}  // namespace cellmill::models
