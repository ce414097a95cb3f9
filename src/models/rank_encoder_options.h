#pragma once
// Settings of the rank encoder, `model.rank_encoder:` in the run file. Defaults are Geneformer's
// gf-6L-10M-i2048 and the recipe that it was trained with.
#include <cstdint>
#include <string>

namespace cellmill::config {
class Schema;
}

namespace cellmill::models {

struct RankDropoutOptions {
  double hidden = 0.02;     ///< of the embeddings and of what a layer adds
  double attention = 0.02;  ///< of the attention's probabilities
};

struct RankMaskOptions {
  double fraction = 0.15;  ///< of a cell's genes, to be predicted
  double masked = 0.8;     ///< of these, shown as <mask>
  double random = 0.1;     ///< of these, shown as another gene; the rest are shown as they are
};

struct RankOptimiserOptions {
  double learning_rate = 1e-3;
  double weight_decay = 0.001;  ///< not of biases and layer norms
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double clip_norm = 1;
};

struct RankEncoderOptions {
  std::string dictionary;       ///< file; empty: the data's own genes, ranked by counts
  std::string start_from;       ///< Hugging Face folder; empty: initial values from the seed
  std::int64_t vocabulary = 0;  ///< rows of the word embeddings; 0: as the dictionary has tokens
  std::int64_t layers = 6, hidden = 256, heads = 4, intermediate = 512;
  std::int64_t max_length = 2048;
  bool special_tokens = false;  ///< V2: <cls> first, <eos> last
  std::string activation = "relu";
  double layer_norm_eps = 1e-12, initializer_range = 0.02;
  std::int64_t type_vocabulary = 2;
  RankDropoutOptions dropout;
  RankMaskOptions mask;
  RankOptimiserOptions optimiser;
};
void describe(config::Schema& schema, RankEncoderOptions& options);

}  // namespace cellmill::models
