#pragma once
// Cells with planted additive effects, of any number, without a file: the fixture of tests and
// benchmarks. The rate of gene g in a cell of categories c is
//   depth * softmax_g(mu_g + sum_f delta_f[c_f, g]),
// counts are Poisson, values log1p of counts per 10,000. A category moves a sparse set of genes;
// fields of these names have the strengths and gene fractions of real cell types, tissues, assays,
// sexes and perturbations; categories are skewed (1 / rank^0.7) and fields independent. Every draw
// is keyed by (seed, cell), so a cell depends neither on its chunk nor on other cells.
#include <cstdint>
#include <vector>

#include "data/chunk_source.h"

namespace cellmill::data {

class SyntheticSource : public ChunkSource {
 public:
  /// Uses `synthetic_*`, `chunk_cells` and `fields` (empty: all). Throws UsageError (78) for sizes
  /// that cannot be and fields that are not planted.
  explicit SyntheticSource(const SourceOptions& options);
  const std::vector<ChunkInfo>& index() const override { return index_; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  bool reads_rows() const override { return true; }
  std::int64_t entries() const override;

  const std::vector<Field>& planted_fields() const { return planted_; }
  /// The planted truth: mean expression [genes] of cells of these categories, one code a planted
  /// field, kMissing for "no effect of this field". The difference of two is the shift that a
  /// counterfactual should predict.
  std::vector<float> expected_expression(const std::vector<std::int32_t>& codes) const;
  /// The categories of a cell, whether or not its labels are left out.
  std::vector<std::int32_t> planted_codes(std::int64_t cell) const;

 private:
  std::int64_t append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                      Chunk& rows) const override;
  struct Effect {
    std::int32_t gene;
    float factor;  // of the rate: exp(delta)
  };
  void plant();
  void choose_depth();
  double weights(const std::vector<std::int32_t>& codes, std::vector<float>& weight) const;
  /// Another category each `attempt`.
  std::int32_t planted_code(std::int64_t cell, std::size_t field, std::uint64_t attempt) const;
  void hold_out(const std::string& combination);
  void add_cell(std::int64_t cell, std::vector<float>& weight, Chunk& chunk) const;

  SourceOptions options_;
  std::vector<Field> planted_;
  std::vector<std::size_t> columns_;  // the planted fields that `fields` asks for
  Vocabulary vocabulary_;
  std::vector<std::vector<std::int32_t>> held_out_;  // codes by planted field, kMissing for any
  std::vector<ChunkInfo> index_;
  std::vector<std::vector<double>> cumulative_;           // [field][category] probability up to it
  std::vector<float> base_;                               // [genes] exp(mu)
  std::vector<std::vector<std::vector<Effect>>> effect_;  // [field][category]
  double depth_ = 1;
};

}  // namespace cellmill::data
