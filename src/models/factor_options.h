#pragma once
// Settings of the factor model, `model.factor_model:` in the run file. Symbols: G genes, H hidden,
// d_g latent width of a group. Defaults: the field names of the harmonised schema, and settings
// that gave little leakage on real cells (a stronger KL with adversaries).
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cellmill::config {
class Schema;
}

namespace cellmill::models {

/// Names of fields; those that the data do not have are left out.
struct FactorFieldOptions {
  std::vector<std::string> biological = {"age",       "sex",     "tissue",     "cell_type",
                                         "cell_line", "disease", "sample_type"};
  std::vector<std::string> technical = {"library_selection", "library_layout", "instrument",
                                        "assay", "study"};
  std::vector<std::string> perturbation = {"perturbation", "perturbation_type", "dose", "time"};
  std::vector<std::string> numbers = {"dose", "time"};  ///< "10 um": unit and log of the value
  std::vector<std::string> ages = {"age"};              ///< "45" or "45 year": the value itself
  std::vector<std::string> prior_only = {"study"};      ///< no head predicts them
  std::int64_t min_count = 1;  ///< training cells of a category; of fewer it is as missing
};

struct FactorLatentOptions {
  std::int64_t biological = 16, technical = 8, perturbation = 8;
  bool without_fields = false;  ///< keep the latent of a group that has no field, prior N(0, I)
};

/// Genes that the encoder reads; the decoder models all.
struct FactorMarkerOptions {
  std::vector<std::string> fields;  ///< whose values they tell apart; empty: it reads every gene
  std::int64_t genes = 50;          ///< a field
};

struct FactorNetworkOptions {
  std::int64_t hidden = 128, blocks = 1;
  std::int64_t expand = 2;  ///< width of a block's inside over its outside
  std::int64_t prior_hidden = 64, prior_blocks = 1;
  std::string activation = "silu";  ///< silu | relu
  std::int64_t adversary_hidden = 64;
};

struct FactorDropoutOptions {
  double input = 0, blocks = 0;
  double fields = 0;  ///< a field is hidden from its group's prior
};

struct FactorLossOptions {
  double reconstruction = 1;
  double prior_reconstruction = 0;  ///< of cells that are decoded from the prior
  double kl = 4;
  std::int64_t kl_steps = 0;                ///< it rises to its weight over these
  double labels = 100;                      ///< a field's cross-entropy
  std::map<std::string, std::string> each;  ///< field -> a weight of its own for that
  double adversary = 30;                    ///< factor of the reversed gradient; 0 is off
  std::string read = "sample";              ///< sample | mean: what heads read in training
};

struct FactorCorrectionOptions {
  std::string targets;  ///< field whose values name the perturbed genes; empty: no correction
  std::string kinds;    ///< field that says how: crispr, shrna, sirna, overexpression
};

struct FactorOptimiserOptions {
  double learning_rate = 2e-3;
  double weight_decay = 0.1;  ///< of matrices alone
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double clip_norm = 0;
};

struct FactorOptions {
  std::string modality = "single_cell";  ///< single_cell: log1p(CP10K) | bulk: log-CPM
  std::string likelihood = "auto";       ///< auto: by modality | multinomial | nb | normal
  double variance_floor = 1;             ///< x = (y - mean) / sqrt(variance + this)
  FactorFieldOptions fields;
  FactorMarkerOptions markers;
  FactorLatentOptions latents;
  FactorNetworkOptions network;
  FactorDropoutOptions dropout;
  FactorLossOptions loss;
  FactorCorrectionOptions correction;
  FactorOptimiserOptions optimiser;

  double scale() const { return modality == "bulk" ? 1e6 : 1e4; }
  std::string chosen_likelihood() const {
    return likelihood != "auto" ? likelihood : modality == "bulk" ? "normal" : "multinomial";
  }
};
void describe(config::Schema& schema, FactorOptions& options);

}  // namespace cellmill::models
