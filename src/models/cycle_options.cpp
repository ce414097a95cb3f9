#include "models/cycle_options.h"

#include "config/schema.h"

namespace cellmill::models {

using config::at_least;
using config::fraction;
using config::not_negative;
using config::one_of;
using config::positive;

void describe(config::Schema& s, CycleHeadOptions& o) {
  s.field("route", o.route, "FFNs a cell passes: of its output context, or of both",
          one_of({"target", "source_and_target"}));
  s.field("ffn", o.ffn, "a context's network", one_of({"mlp", "linear_relu", "linear"}));
  s.field("encoder_bias", o.encoder_bias, "bias of the fields' encoders");
  s.field("decoder_bias", o.decoder_bias, "bias of the fields' decoders");
  s.field("ffn_bias", o.ffn_bias, "bias of the contexts' networks");
  s.field("scale", o.scale, "factor on every field's decoder output", positive());
  s.field("missing_hidden", o.missing_hidden,
          "source_and_target: hidden state of a field without a label", one_of({"keep", "zero"}));
  s.field("sets", o.sets, "fields whose categories are sets 'A+B', with their control category");
}

void describe(config::Schema& s, CycleLossOptions& o) {
  s.field("reconstruction", o.reconstruction, "weight of the cycle's reconstruction",
          not_negative());
  s.field("reconstruction_over", o.reconstruction_over,
          "sum or mean over genes; with the mean the classifier term takes over",
          one_of({"sum", "mean"}));
  s.field("integration", o.integration, "weight of hidden-state consistency", not_negative());
  s.field("integration_over", o.integration_over, "mean or sum over heads",
          one_of({"mean", "sum"}));
  s.field("integration_heads", o.integration_heads, "base and fields, or fields alone",
          one_of({"all", "fields"}));
  s.field("target", o.target, "weight of the classifier's verdict on generated cells",
          not_negative());
  s.field("labels_over", o.labels_over, "cross-entropy per cell of the batch, or per known label",
          one_of({"batch", "known"}));
  s.field("match", o.match, "weight of population matching; 0 is off", not_negative());
  s.field("match_fields", o.match_fields, "fields whose values together name a population");
  s.field("match_kept", o.match_kept,
          "of match_fields: a cell counts if these keep their source in its target context");
  s.rule([&o] {
    return o.match > 0 && o.match_fields.empty()
               ? std::string("match needs match_fields, for example [condition, cell_type]")
               : std::string();
  });
}

void describe(config::Schema& s, CycleTargetOptions& o) {
  s.field("keep_probability", o.keep_probability, "a field keeps its source with this probability",
          fraction());
  s.field("keep", o.keep, "field -> a keep probability of its own, for example {cell_type: 0.8}");
  s.field("exclude_source", o.exclude_source, "never draw the source category");
  s.field("legacy_single_field", o.legacy_single_field,
          "only the last field gets a drawn target, as in the source repository");
}

void describe(config::Schema& s, CycleOptimiserOptions& o) {
  s.field("learning_rate", o.learning_rate, "AdamW, heads", not_negative());
  s.field("classifier_learning_rate", o.classifier_learning_rate, "Adam, classifier",
          not_negative());
  s.field("base_weight_decay", o.base_weight_decay, "decoupled decay of the base", not_negative());
  s.field("head_weight_decay", o.head_weight_decay, "decoupled decay of the fields' heads",
          not_negative());
  s.field("pool_weight_decay", o.pool_weight_decay,
          "decoupled decay of the contexts' networks; negative: as head_weight_decay");
  s.field("beta1", o.beta1, "Adam's first moment", fraction());
  s.field("beta2", o.beta2, "Adam's second moment", fraction());
  s.field("epsilon", o.epsilon, "Adam's epsilon", positive());
  s.field("clip_norm", o.clip_norm, "largest norm of the heads' gradient; 0 is off",
          not_negative());
}

void describe(config::Schema& s, CycleAutoencoderOptions& o) {
  s.field("latent", o.latent, "width of every head's code", at_least(1));
  s.field("classifier_hidden", o.classifier_hidden, "widths of the classifier's hidden layers");
  s.field("init", o.init, "initial values", one_of({"fan_in", "unit_columns"}));
  s.field("non_negative", o.non_negative, "which generator weights are kept non-negative",
          one_of({"base", "all", "none"}));
  s.field("compute", o.compute,
          "form of the step: dense makes cells x genes matrices, factored never does and wins for "
          "large batches; auto: the one with less to do",
          one_of({"auto", "dense", "factored"}));
  s.section("head", o.head, "the additive heads, one per metadata field");
  s.section("loss", o.loss, "the four losses and the optional matching term");
  s.section("targets", o.targets, "how target contexts are drawn");
  s.section("optimiser", o.optimiser, "step sizes");
}

}  // namespace cellmill::models
