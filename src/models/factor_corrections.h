#pragma once
// Which genes a sample's perturbation hits, and how: the decoder's output is corrected there. Genes
// are looked up by name in the texts of one metadata field ('a|b' are two), the technique in
// another; without a known technique there is no correction.
#include <ATen/core/Tensor.h>

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/chunk.h"
#include "models/metadata_model.h"

namespace cellmill::models {

inline constexpr std::array<const char*, 4> kCorrectionKinds = {"crispr", "shrna", "sirna",
                                                                "overexpression"};

class FactorCorrections {
 public:
  /// Throws UsageError (78) for a field that is not there.
  FactorCorrections(const data::Vocabulary& vocabulary, const std::string& targets,
                    const std::string& kinds);
  /// Of a batch's labels: targets [B, T] genes, -1 = none, and kinds [B, T].
  void select(const at::Tensor& labels, at::Tensor& targets, at::Tensor& kinds) const;
  /// The same of metadata as text, on the host.
  void select(const std::vector<Metadata>& samples, at::Tensor& targets, at::Tensor& kinds) const;
  void to(c10::Device device);

 private:
  std::vector<std::int64_t> genes_of(const std::string& text) const;

  std::int64_t targets_column_, kinds_column_;
  std::string targets_name_, kinds_name_;
  std::unordered_map<std::string, std::int64_t> gene_;
  at::Tensor genes_;  ///< [texts + 1, T]
  at::Tensor kind_;   ///< [texts + 1], -1 = none
};

}  // namespace cellmill::models
