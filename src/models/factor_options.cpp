#include "models/factor_options.h"

#include "config/schema.h"

namespace cellmill::models {

using config::at_least;
using config::below_one;
using config::fraction;
using config::not_negative;
using config::one_of;
using config::positive;

void describe(config::Schema& s, FactorFieldOptions& o) {
  s.field("biological", o.biological, "fields of the biological latent");
  s.field("technical", o.technical, "fields of the technical latent");
  s.field("perturbation", o.perturbation, "fields of the perturbation latent");
  s.field("numbers", o.numbers, "of these, numbers with a unit: '10 um'");
  s.field("ages", o.ages, "of these, ages: '45' or '45 year'");
  s.field("prior_only", o.prior_only, "of these, those that no head predicts");
  s.field("min_count", o.min_count, "training cells that a category needs to be known",
          at_least(1));
}

void describe(config::Schema& s, FactorMarkerOptions& o) {
  s.field("fields", o.fields, "fields whose values tell which genes; empty: it reads all genes");
  s.field("genes", o.genes, "genes a field: those of the largest F statistic", at_least(1));
}

void describe(config::Schema& s, FactorLatentOptions& o) {
  s.field("biological", o.biological, "width; 0: none", not_negative());
  s.field("technical", o.technical, "width; 0: none", not_negative());
  s.field("perturbation", o.perturbation, "width; 0: none", not_negative());
  s.field("without_fields", o.without_fields,
          "keep the latent of a group that has no field; it absorbs what belongs elsewhere");
}

void describe(config::Schema& s, FactorNetworkOptions& o) {
  s.field("hidden", o.hidden, "width of encoder and decoder", at_least(1));
  s.field("blocks", o.blocks, "residual blocks of encoder and decoder, each", at_least(0));
  s.field("expand", o.expand, "width of a block's inside over its outside", at_least(1));
  s.field("prior_hidden", o.prior_hidden, "width of the priors' networks", at_least(1));
  s.field("prior_blocks", o.prior_blocks, "residual blocks of the priors' networks", at_least(0));
  s.field("activation", o.activation, "of all networks", one_of({"silu", "relu"}));
  s.field("adversary_hidden", o.adversary_hidden, "hidden units of an adversary; 0: linear",
          at_least(0));
}

void describe(config::Schema& s, FactorDropoutOptions& o) {
  s.field("input", o.input, "genes that the encoder does not see", below_one());
  s.field("blocks", o.blocks, "hidden units of the blocks", below_one());
  s.field("fields", o.fields, "fields that are hidden from their prior", below_one());
}

void describe(config::Schema& s, FactorLossOptions& o) {
  s.field("reconstruction", o.reconstruction, "weight of the likelihood, summed over genes",
          not_negative());
  s.field("prior_reconstruction", o.prior_reconstruction,
          "weight of the likelihood of what the prior generates", not_negative());
  s.field("kl", o.kl,
          "weight of KL(q(z|x), p(z|metadata)); 1: the evidence bound, more: less "
          "leakage",
          not_negative());
  s.field("kl_steps", o.kl_steps, "steps over which that weight rises from 0", at_least(0));
  s.field("labels", o.labels, "weight of a field's cross-entropy; grows with genes and depth",
          not_negative());
  s.field("each", o.each, "field -> a weight of its own, for example {sex: 200}");
  s.field("adversary", o.adversary,
          "factor of the gradient that takes a field out of the other latents; 0: no adversaries",
          not_negative());
  s.field("read", o.read, "what heads and adversaries read in training",
          one_of({"sample", "mean"}));
}

void describe(config::Schema& s, FactorCorrectionOptions& o) {
  s.field("targets", o.targets, "field whose values name the perturbed genes; empty: off");
  s.field("kinds", o.kinds, "field that says how: crispr, shrna, sirna or overexpression");
  s.rule([&o] {
    return o.targets.empty() != o.kinds.empty() ? std::string("targets and kinds go together")
                                                : std::string();
  });
}

void describe(config::Schema& s, FactorOptimiserOptions& o) {
  s.field("learning_rate", o.learning_rate, "AdamW", not_negative());
  s.field("weight_decay", o.weight_decay, "decoupled decay of matrices", not_negative());
  s.field("beta1", o.beta1, "Adam's first moment", fraction());
  s.field("beta2", o.beta2, "Adam's second moment", fraction());
  s.field("epsilon", o.epsilon, "Adam's epsilon", positive());
  s.field("clip_norm", o.clip_norm, "largest norm of the gradient; 0 is off", not_negative());
}

void describe(config::Schema& s, FactorOptions& o) {
  s.field("modality", o.modality, "expression space: log1p of counts per 10,000, or log-CPM",
          one_of({"single_cell", "bulk"}));
  s.field("likelihood", o.likelihood, "of counts; auto: multinomial (single_cell), normal (bulk)",
          one_of({"auto", "multinomial", "nb", "normal"}));
  s.field("variance_floor", o.variance_floor, "added to a gene's variance where it is divided by",
          positive());
  s.section("fields", o.fields, "which metadata belong to which latent");
  s.section("markers", o.markers, "genes that the encoder reads, chosen by the training labels");
  s.section("latents", o.latents, "widths of the three latents");
  s.section("network", o.network, "widths and depths");
  s.section("dropout", o.dropout, "fractions that are dropped in training");
  s.section("loss", o.loss, "weights of the losses");
  s.section("correction", o.correction, "of perturbed genes in the decoder's output");
  s.section("optimiser", o.optimiser, "step sizes");
}

}  // namespace cellmill::models
