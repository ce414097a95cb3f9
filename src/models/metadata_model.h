#pragma once
// What a model that ties expression to metadata can be asked. Fields belong to one of three groups,
// each of which has a latent. Metadata come and go as text: 'a|b' are two words of a category, "10
// um" is a number of a unit, an empty or absent text is missing. After `freeze` the methods may be
// called by several threads at once; without gradients.
#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/batch.h"

namespace cellmill::models {

inline constexpr std::size_t kMetadataGroups = 3;
inline constexpr std::array<const char*, kMetadataGroups> kMetadataGroupNames = {
    "biological", "technical", "perturbation"};

struct MetadataField {
  enum class Kind { kCategory, kNumber, kAge };
  std::string name;
  std::size_t group = 0;
  Kind kind = Kind::kCategory;
  std::vector<std::string> words;  ///< categories, or units, that the model knows
  bool predicted = true;           ///< a head reads it
};

/// Field -> text.
using Metadata = std::map<std::string, std::string>;

/// Of B cells; what a field or group does not have is undefined.
struct MetadataReading {
  at::Tensor totals;                                ///< [B] float64, counts of a sample
  std::vector<at::Tensor> probabilities;            ///< by field [B, words], rows sum to 1
  std::vector<at::Tensor> values;                   ///< numbers: [B, units] as each unit would say
  std::array<at::Tensor, kMetadataGroups> latents;  ///< means [B, width]
  at::Tensor decoded;                               ///< decoder's output [B, genes], if asked for
};

/// What to generate: B samples.
struct Recipe {
  std::vector<Metadata> metadata;
  /// Of each sample's noise in the latents; empty: the means.
  std::vector<std::uint64_t> seeds;
  const data::Batch* reference = nullptr;  ///< B cells
  std::array<bool, kMetadataGroups> from_reference = {};
};

/// A latent and what it decodes to.
struct Draft {
  std::array<at::Tensor, kMetadataGroups> latents;  ///< [B, width]; undefined: no such latent
  at::Tensor decoded;                               ///< [B, genes]
};

enum class ReadMode { kLabels, kLabelsAndExpression };

class MetadataModel {
 public:
  virtual ~MetadataModel() = default;
  /// Known, and fixed, once the model is frozen.
  virtual const std::vector<MetadataField>& metadata_fields() const = 0;
  virtual std::string modality() const = 0;  ///< single_cell | bulk
  /// From here on no parameter changes: products of parameters alone are kept.
  virtual void freeze() = 0;
  /// Why a text cannot be a value of this field; nothing: it can, or is missing.
  virtual std::optional<std::string> problem_with(std::size_t field,
                                                  const std::string& text) const = 0;
  /// Labels of the batch are not read.
  virtual MetadataReading read_metadata(const data::Batch& batch, ReadMode mode) = 0;
  /// Throws UsageError for a field or word that the model does not know.
  virtual Draft generate(const Recipe& recipe) = 0;
  /// [B, genes], float64, rows sum to 1 (0 where nothing is expressed).
  virtual at::Tensor proportions(const at::Tensor& decoded) const = 0;
  /// By sample, [genes]: the decoded proportions of its total, rounded; as float32 has them, 1e-7
  /// of a count.
  virtual std::vector<std::vector<std::int32_t>> expected_counts(
      const MetadataReading& reading) const = 0;
  /// Counts of `total` [B] drawn from the likelihood about the decoder's output: [B, genes]
  /// float64, whole; a row is a function of its own seed.
  virtual at::Tensor draw(const at::Tensor& decoded, const std::vector<double>& totals,
                          const std::vector<std::uint64_t>& seeds) const = 0;
};

}  // namespace cellmill::models
