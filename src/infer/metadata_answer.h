#pragma once
// Predicted metadata, completed metadata and generated samples as what is written: columns of obs
// and obsm, or the JSON of the prediction API (GEM-1's final result).
#include <string>
#include <vector>

#include "infer/factor_prediction.h"
#include "infer/generation.h"
#include "infer/metadata_completion.h"
#include "infer/ontology.h"
#include "infer/result_file.h"

namespace cellmill::infer {

/// A column of texts; empty ones are missing.
Column text_column(const std::string& name, const std::vector<std::string>& texts);

enum class Distribution { kNo, kYes };
/// obs: predicted_F, predicted_F_probability. obsm: X_biological, X_technical, X_perturbation
/// (those that the model has), probability_F if asked for.
void add_predictions(Annotations& to, const Predictions& predictions, Distribution distribution);
/// obs: rolled_up_F, rolled_up_F_name, rolled_up_F_probability.
void add_rolled_up(Annotations& to, const std::string& field, const RolledUp& rolled_up);
/// obs: F, F_source, F_confidence.
void add_completed(Annotations& to, const std::vector<CompletedField>& fields);

/// What an answer says of its model.
struct ModelFacts {
  std::vector<std::string> genes;
  std::string version;
};
struct LoadedModel;
/// The version is the step of its checkpoint: "factor_model-1200".
ModelFacts facts_of(const LoadedModel& loaded);
/// {"gene_order", "model_version", "outputs": [{"metadata", "classifier_probs", "latents",
/// "decoder_sample"}]}; without reconstructed counts neither gene_order nor decoder_sample.
std::string json_of(const Predictions& predictions, const ModelFacts& model);
/// {"gene_order", "model_version", "outputs": [{"counts", "metadata", "latents"}]}
std::string json_of(const Generated& generated, const std::vector<GenerationInput>& inputs,
                    const ModelFacts& model);

}  // namespace cellmill::infer
