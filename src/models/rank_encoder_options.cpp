#include "models/rank_encoder_options.h"

#include "config/schema.h"

namespace cellmill::models {

using config::at_least;
using config::below_one;
using config::fraction;
using config::not_negative;
using config::one_of;
using config::positive;

void describe(config::Schema& s, RankDropoutOptions& o) {
  s.field("hidden", o.hidden, "of the embeddings and of what a layer adds", below_one());
  s.field("attention", o.attention, "of the attention's probabilities", below_one());
}

void describe(config::Schema& s, RankMaskOptions& o) {
  s.field("fraction", o.fraction, "of a cell's genes, to be predicted", fraction());
  s.field("masked", o.masked, "of these, shown as <mask>", fraction());
  s.field("random", o.random, "of these, shown as another gene; the rest stay", fraction());
  s.rule([&o] {
    return o.masked + o.random > 1 ? std::string("masked and random exceed 1 together")
                                   : std::string();
  });
}

void describe(config::Schema& s, RankOptimiserOptions& o) {
  s.field("learning_rate", o.learning_rate, "AdamW", not_negative());
  s.field("weight_decay", o.weight_decay, "decoupled decay, not of biases and layer norms",
          not_negative());
  s.field("beta1", o.beta1, "Adam's first moment", fraction());
  s.field("beta2", o.beta2, "Adam's second moment", fraction());
  s.field("epsilon", o.epsilon, "Adam's epsilon", positive());
  s.field("clip_norm", o.clip_norm, "largest norm of the gradient; 0 is off", not_negative());
}

void describe(config::Schema& s, RankEncoderOptions& o) {
  s.field("dictionary", o.dictionary,
          "JSON file of tokens and medians of genes (tools/gene_dictionary makes it); empty: the "
          "data's own genes with medians of 1, for trials");
  s.field("start_from", o.start_from,
          "Hugging Face folder (config.json, model.safetensors) to go on from; empty: from the "
          "seed");
  s.field("vocabulary", o.vocabulary, "rows of the word embeddings; 0: the dictionary's tokens",
          not_negative());
  s.field("layers", o.layers, "encoder layers", at_least(1));
  s.field("hidden", o.hidden, "width of a token", at_least(1));
  s.field("heads", o.heads, "attention heads; they divide the width", at_least(1));
  s.field("intermediate", o.intermediate, "width of a layer's feed-forward part", at_least(1));
  s.field("max_length", o.max_length, "tokens of a cell, special ones among them: V1 2048, V2 4096",
          at_least(3));
  s.field("special_tokens", o.special_tokens, "V2: <cls> before a cell, <eos> behind it");
  s.field("activation", o.activation, "of feed-forward parts and head", one_of({"relu", "gelu"}));
  s.field("layer_norm_eps", o.layer_norm_eps, "added to a variance", positive());
  s.field("initializer_range", o.initializer_range, "standard deviation of initial weights",
          positive());
  s.field("type_vocabulary", o.type_vocabulary, "rows of the type embeddings; the first is used",
          at_least(1));
  s.section("dropout", o.dropout, "fractions that are dropped in training");
  s.section("mask", o.mask, "which genes are to be predicted");
  s.section("optimiser", o.optimiser, "step sizes");
  s.rule([&o] {
    return o.hidden % o.heads != 0 ? std::string("heads must divide hidden") : std::string();
  });
}

}  // namespace cellmill::models
