#include "models/model_table.h"

#include "base/error.h"
#include "config/schema.h"
#include "models/cycle_cost.h"
#include "models/factor_cost.h"
#include "models/rank_cost.h"
#include "models/rank_encoder.h"

namespace cellmill::models {
namespace {

UsageError unknown(const std::string& name) {
  return UsageError("no model '" + name + "'",
                    "models are cycle_autoencoder, factor_model and rank_encoder", Exit::kConfig);
}

std::unique_ptr<Model> make_rank_encoder(const ModelOptions& options,
                                         const data::Vocabulary& vocabulary, std::uint64_t seed,
                                         at::ScalarType dtype) {
  const auto text = options.texts.find(RankEncoder::kDictionary);
  return std::make_unique<RankEncoder>(
      options.rank_encoder,
      rank_dictionary(options.rank_encoder, vocabulary,
                      text == options.texts.end() ? nullptr : &text->second),
      &vocabulary, seed, dtype);
}

}  // namespace

std::vector<std::string> model_names() {
  return {"cycle_autoencoder", "factor_model", "rank_encoder"};
}

void describe(config::Schema& s, ModelOptions& o) {
  s.field("name", o.name, "which model", config::one_of(model_names()));
  s.section("cycle_autoencoder", o.cycle_autoencoder,
            "additive, context-conditioned cycle autoencoder");
  s.section("factor_model", o.factor_model,
            "three latents with priors from metadata; predicts, completes and generates");
  s.section("rank_encoder", o.rank_encoder,
            "a BERT over genes in the order of their rank values; embeds and perturbs cells");
}

std::string default_score(const ModelOptions& options) {
  if (options.name == "rank_encoder") return RankEncoder::kScore;
  return options.name == "factor_model" ? FactorModel::kScore : CycleAutoencoder::kScore;
}

bool takes_counts(const ModelOptions& options) {
  return options.name == "factor_model" || options.name == "rank_encoder";
}

bool takes_ranks(const ModelOptions& options) { return options.name == "rank_encoder"; }

StepForms step_forms(const ModelOptions& options, const data::Vocabulary& vocabulary,
                     const StepShape& shape) {
  if (options.name == "cycle_autoencoder")
    return cycle_step_forms(options.cycle_autoencoder, vocabulary, shape);
  if (options.name == "factor_model")
    return factor_step_forms(options.factor_model, factor_shape(options.factor_model, vocabulary),
                             shape);
  if (options.name == "rank_encoder")
    return rank_step_forms(options.rank_encoder,
                           rank_dictionary(options.rank_encoder, vocabulary).size(), shape);
  throw unknown(options.name);
}

std::unique_ptr<Model> make_model(const ModelOptions& options, const data::Vocabulary& vocabulary,
                                  std::uint64_t seed, at::ScalarType dtype) {
  if (vocabulary.ranked && !takes_ranks(options))
    throw UsageError(
        options.name + " takes expression; these data are a token store, which keeps ranks",
        "name the data that the tokens were made of", Exit::kConfig);
  if (options.name == "cycle_autoencoder") {
    return std::make_unique<CycleAutoencoder>(options.cycle_autoencoder, vocabulary, seed, dtype);
  }
  if (options.name == "factor_model")
    return std::make_unique<FactorModel>(options.factor_model, vocabulary, seed, dtype);
  if (options.name == "rank_encoder") return make_rank_encoder(options, vocabulary, seed, dtype);
  throw unknown(options.name);
}

}  // namespace cellmill::models
