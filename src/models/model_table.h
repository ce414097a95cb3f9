#pragma once
// The table of models: name -> options -> model. A new model adds one member, one section line and
// two cases here.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "models/cycle_autoencoder.h"
#include "models/factor_model.h"
#include "models/model.h"
#include "models/rank_encoder_options.h"
#include "models/step_cost.h"

namespace cellmill::models {

struct ModelOptions {
  std::string name = "cycle_autoencoder";
  CycleAutoencoderOptions cycle_autoencoder;
  FactorOptions factor_model;
  RankEncoderOptions rank_encoder;
  /// Not settings: what a checkpoint kept of the files that settings name (Model::texts). What is
  /// not here is read from its file.
  std::map<std::string, std::string> texts;
};
void describe(config::Schema& schema, ModelOptions& options);

/// The validation score that says which of a model's checkpoints is best; the lowest is.
std::string default_score(const ModelOptions& options);
/// Does the model normalise counts itself? The others take log1p of counts per 10,000.
bool takes_counts(const ModelOptions& options);
/// Does the model read ranked genes? The others refuse a token store.
bool takes_ranks(const ModelOptions& options);

/// Every model of the table.
std::vector<std::string> model_names();

/// Every way that the model has to compute a step of this shape, and what it costs.
StepForms step_forms(const ModelOptions& options, const data::Vocabulary& vocabulary,
                     const StepShape& shape);

/// `dtype` of the parameters: float32 (float64 in tests). Initial values are a function of the seed
/// alone. Throws UsageError (78) for ranked data and a model that wants expression.
std::unique_ptr<Model> make_model(const ModelOptions& options, const data::Vocabulary& vocabulary,
                                  std::uint64_t seed, at::ScalarType dtype);

}  // namespace cellmill::models
