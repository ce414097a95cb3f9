#pragma once
// Settings of the cycle autoencoder, `model.cycle_autoencoder:` in the run file. Symbols: G genes,
// L latent, F fields. Defaults are the reading that gives good counterfactuals on real cells;
// configs/cae_original.yaml has the source repository's.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace cellmill::config {
class Schema;
}

namespace cellmill::models {

struct CycleHeadOptions {
  std::string route = "target";  ///< target | source_and_target: which FFNs a cell passes
  std::string ffn = "mlp";       ///< mlp | linear_relu | linear
  bool encoder_bias = true;
  bool decoder_bias = true;
  bool ffn_bias = true;
  double scale = 0.0159;  ///< of every field's decoder output
  std::string missing_hidden =
      "keep";  ///< keep | zero: hidden state of a field without a label (source_and_target)
  std::map<std::string, std::string>
      sets;  ///< field whose categories are sets "A+B" -> its control category
};

struct CycleLossOptions {
  double reconstruction = 1;
  std::string reconstruction_over = "sum";  ///< sum | mean over genes (mean over cells)
  double integration = 1;
  std::string integration_over = "mean";  ///< mean | sum over heads
  std::string integration_heads = "all";  ///< all | fields
  double target = 1;
  std::string labels_over = "batch";  ///< batch | known: what a field's cross-entropy is divided by
  double match = 0;                   ///< weight of population matching (ours); 0 is off
  std::vector<std::string> match_fields;  ///< fields whose values together name a population
  std::vector<std::string>
      match_kept;  ///< of these, fields whose target must be the source for a cell to count
};

struct CycleTargetOptions {
  double keep_probability = 0;              ///< a field keeps its source with this probability
  std::map<std::string, std::string> keep;  ///< field -> its own keep probability
  bool exclude_source = false;              ///< never draw the source category
  bool legacy_single_field = false;  ///< only the last field is drawn, as the source repository did
};

struct CycleOptimiserOptions {
  double learning_rate = 1e-3;
  double classifier_learning_rate = 1e-3;
  double base_weight_decay = 0;
  double head_weight_decay = 0;
  double pool_weight_decay = -1;  ///< of the FFN pools; negative: as head_weight_decay
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double clip_norm = 0;  ///< of the generator's gradient; 0 is off
};

struct CycleAutoencoderOptions {
  std::int64_t latent = 64;
  std::vector<std::int64_t> classifier_hidden = {128};
  std::string init = "fan_in";        ///< fan_in | unit_columns
  std::string non_negative = "base";  ///< base | all | none
  std::string compute = "auto";       ///< auto | dense | factored: models/cycle_factored.cpp
  CycleHeadOptions head;
  CycleLossOptions loss;
  CycleTargetOptions targets;
  CycleOptimiserOptions optimiser;
};
void describe(config::Schema& schema, CycleAutoencoderOptions& options);

}  // namespace cellmill::models
