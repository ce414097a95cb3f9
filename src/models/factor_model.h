#pragma once
// The factor model: expression is encoded into three latents (biological, technical, perturbation),
// each with a prior from its own metadata fields, and decoded from all three. Labels may be missing
// anywhere: a missing one sets no bit and adds nothing to any loss.
//   NLL of the counts + kl * sum_g KL(q(z_g|x), p(z_g|metadata_g)) + labels * cross-entropy of each
//   field from its own latent + that of adversaries on the other latents, gradient reversed
// As a model of metadata its fields are known once it is frozen. One group of parameters, "factor";
// matrices alone decay. Batches hold counts, not logs. After the published description of GEM-1
// (bioRxiv 10.1101/2025.09.08.674753).
#include <array>
#include <memory>
#include <optional>

#include "models/factor_corrections.h"
#include "models/factor_network.h"
#include "models/factor_options.h"
#include "models/metadata_model.h"
#include "models/model.h"

namespace cellmill::models {

/// Everything one batch produces; what the golden cases compare.
struct FactorOutputs {
  Gaussians posterior, prior;
  Latents z;
  at::Tensor decoded;  ///< [B, G]
  at::Tensor nll;      ///< [B]
  Losses losses;
};

/// Latents of groups without fields have width 0, unless the options keep them.
FactorShape factor_shape(const FactorOptions& options, const data::Vocabulary& vocabulary,
                         at::ScalarType dtype = at::kFloat);

class FactorModel final : public Model, public MetadataModel {
 public:
  static constexpr const char* kScore = "loss/factor";  ///< lowest: best

  FactorModel(const FactorOptions& options, const data::Vocabulary& vocabulary, std::uint64_t seed,
              at::ScalarType dtype);
  /// For inputs that come encoded; takes no batches.
  FactorModel(const FactorOptions& options, const FactorShape& shape, std::uint64_t seed,
              at::ScalarType dtype);

  std::string name() const override { return "factor_model"; }
  std::vector<Group> groups() override;
  std::vector<std::pair<std::string, at::Tensor>> buffers() override;
  Losses losses(const data::Batch& batch, const StepContext& context) override;
  void after_step() override {}
  std::unique_ptr<Evaluation> evaluation() override;
  /// Means and variances of genes, spreads of numbers; the first values of the decoder's bias and
  /// the likelihood.
  bool needs_survey() const override { return true; }
  void survey(const data::Batch& batch) override;
  at::Tensor survey_state() override { return surveyed_; }
  void finish_survey() override;
  void to(c10::Device device) override;

  const std::vector<MetadataField>& metadata_fields() const override { return metadata_fields_; }
  std::string modality() const override { return options_.modality; }
  void freeze() override;
  std::optional<std::string> problem_with(std::size_t field,
                                          const std::string& text) const override;
  MetadataReading read_metadata(const data::Batch& batch, ReadMode mode) override;
  Draft generate(const Recipe& recipe) override;
  at::Tensor proportions(const at::Tensor& decoded) const override;
  std::vector<std::vector<std::int32_t>> expected_counts(
      const MetadataReading& reading) const override;
  at::Tensor draw(const at::Tensor& decoded, const std::vector<double>& totals,
                  const std::vector<std::uint64_t>& seeds) const override;

  FactorInput input(const data::Batch& batch) const;
  /// Noise of the latents, and in training the dropout.
  FactorNoise draw(const data::Batch& batch, std::uint64_t seed, bool training) const;
  /// Terms are sums over the cells, divided by `cells`.
  FactorOutputs run(const FactorInput& input, const FactorNoise& noise, double cells,
                    std::int64_t step);
  /// [B, words] a field, rows summing to 1, from the latents' means; undefined where it has no
  /// head.
  std::vector<at::Tensor> probabilities(const FactorInput& input);
  /// The decoder's output for metadata; latents of `from_reference` come from the reference's own
  /// expression, if there is one.
  at::Tensor generate(const FactorInput& metadata, const at::Tensor& eps,
                      FactorInput* reference = nullptr,
                      std::array<bool, kFactorGroups> from_reference = {true, true, false});
  /// [B, G] log1p of scaled counts that a decoder's output stands for.
  at::Tensor expected(const at::Tensor& decoded) const;
  FactorNetwork& network() { return network_; }
  /// Divides the logits of a field's head where probabilities are asked for; an evaluation finds
  /// it.
  void set_temperature(std::size_t field, double temperature);

 private:
  friend class FactorEvaluation;
  at::Tensor nll(const FactorInput& input, const at::Tensor& decoded, bool from_prior) const;
  at::Tensor field_loss(const FactorField& field, const at::Tensor& z,
                        const at::Tensor& metadata) const;
  FactorInput counts_of(const data::Batch& batch) const;
  FactorInput described(const std::vector<Metadata>& samples) const;
  Latents chosen_latents(const FactorInput& metadata, const at::Tensor& eps, FactorInput* reference,
                         std::array<bool, kFactorGroups> from_reference);
  std::vector<at::Tensor> probabilities(const Gaussians& posterior) const;
  void finish_fields();
  bool chooses_markers(const FactorField& field) const;
  double kl_weight(std::int64_t step) const;
  double label_weight(const std::string& field) const;

  FactorOptions options_;
  data::Vocabulary vocabulary_;
  at::ScalarType dtype_;
  FactorNetwork network_;
  at::Tensor temperatures_;  ///< [fields] float64
  /// float64: sums by gene of y, y^2, counts; cells; of each field the cells of texts and, where it
  /// chooses markers, its sums of them.
  at::Tensor surveyed_;
  std::optional<FactorCorrections> corrections_;
  std::vector<MetadataField> metadata_fields_;
};

}  // namespace cellmill::models
