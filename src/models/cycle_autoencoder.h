#pragma once
// The context-conditioned cycle autoencoder: expression as a sum of a base head and one head per
// metadata field. A cell is generated in drawn target contexts, the result is taken back to its own
// contexts, and a classifier of contexts judges the generated cell:
//   X_st = pass(X, s, t)   X_sts = pass(X_st, t, s)
//   reconstruction |X_sts - X|^2, integration |H1 - H2|^2 of the hidden states, target
//   CE(classifier(X_st), t), classifier CE(classifier(X), s)
// Groups "generator" (the first three, and matching) and "classifier". After a step the base is
// made non-negative. Source: Grant-Gordon/scRNA-seq_Context_Conditional_Autoencoder (its settings:
// configs/cae_original.yaml).
#include <memory>
#include <optional>

#include "models/capabilities.h"
#include "models/cycle_generator.h"
#include "models/cycle_options.h"
#include "models/field_classifier.h"
#include "models/model.h"
#include "models/populations.h"
#include "nn/gene_products.h"

namespace cellmill::models {

/// Everything one batch produces; what the golden cases compare.
struct CycleOutputs {
  GeneratorPass first, second;
  std::vector<at::Tensor> target_logits,
      real_logits;           ///< classifier on X_st and on X, one [B, C_f] a field
  at::Tensor squared_error;  ///< sum of (X_sts - X)^2
  at::Tensor match;          ///< population matching, if it is on
  Losses losses;
};

class CycleAutoencoder final : public Model,
                               public Counterfactual,
                               public Contributor,
                               public ContextClassifier {
 public:
  static constexpr const char* kScore = "loss/generator";  ///< lowest: best

  CycleAutoencoder(const CycleAutoencoderOptions& options, const data::Vocabulary& vocabulary,
                   std::uint64_t seed, at::ScalarType dtype);

  std::string name() const override { return "cycle_autoencoder"; }
  std::vector<Group> groups() override;
  std::vector<std::pair<std::string, at::Tensor>> buffers() override;
  Losses losses(const data::Batch& batch, const StepContext& context) override;
  void after_step() override { generator_.project(); }
  std::unique_ptr<Evaluation> evaluation() override;
  std::vector<Influence> influence(const data::Batch& batch) override;
  bool needs_survey() const override { return populations_.has_value(); }
  void survey(const data::Batch& batch) override;
  at::Tensor survey_state() override { return populations_->sums(); }
  void finish_survey() override { populations_->finish(); }
  void to(c10::Device device) override;

  at::Tensor counterfactual(const data::Batch& batch, const ContextRequest& request,
                            ReadOut read_out) override;
  std::vector<std::string> heads() const override;
  std::vector<at::Tensor> contributions(const data::Batch& batch) override;
  std::vector<at::Tensor> context_probabilities(const data::Batch& batch) override;

  /// The step's forward pass with given target contexts [B, F]. What the heads contribute is kept
  /// by the plain passes alone, so asking for it asks for these.
  CycleOutputs run(const data::Batch& batch, const at::Tensor& targets, const StepContext& context,
                   bool keep_contributions);
  at::Tensor draw(const data::Batch& batch, std::uint64_t seed) const;
  const data::Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  friend class CycleEvaluation;
  nn::Csr csr(const data::Batch& batch) const;
  at::Tensor dense(const data::Batch& batch) const;
  /// The step's passes as they are written above, head by head.
  CycleOutputs plain_passes(const data::Batch& batch, const at::Tensor& targets,
                            const StepContext& context) const;
  /// The same with all heads in one product: cycle_dense.cpp.
  CycleOutputs dense_passes(const data::Batch& batch, const at::Tensor& targets,
                            const StepContext& context);
  /// The same without any [B, G] matrix: cycle_factored.cpp.
  CycleOutputs factored_passes(const data::Batch& batch, const at::Tensor& targets,
                               const StepContext& context);
  /// Has the factored form less to do for this batch, or was it asked for?
  bool factored(const data::Batch& batch, const StepContext& context);
  at::Tensor integration(const GeneratorPass& first, const GeneratorPass& second,
                         double cells) const;
  /// One loss a field; the term is their mean.
  std::vector<at::Tensor> labels_loss(const std::vector<at::Tensor>& logits,
                                      const at::Tensor& labels, const at::Tensor& known,
                                      double cells) const;
  at::Tensor known_labels(const at::Tensor& labels, const StepContext& context) const;
  /// The population that each cell counts in, -1 = none.
  at::Tensor match_keys(const at::Tensor& source, const at::Tensor& targets) const;
  at::Tensor matching(const at::Tensor& generated, const at::Tensor& keys,
                      const StepContext& context) const;

  CycleAutoencoderOptions options_;
  data::Vocabulary vocabulary_;
  at::ScalarType dtype_;
  CycleGenerator generator_;
  FieldClassifier classifier_;
  std::vector<double> keep_;              ///< a field: probability that a target is the source
  std::vector<std::int64_t> match_kept_;  ///< places of loss.match_kept
  std::optional<Populations> populations_;
  nn::GeneTables tables_;
  bool said_form_ = false;
};

}  // namespace cellmill::models
