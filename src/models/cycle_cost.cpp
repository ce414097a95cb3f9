#include "models/cycle_cost.h"

#include <algorithm>
#include <numeric>

#include "models/set_elements.h"

namespace cellmill::models {
namespace {

constexpr double kFloat = 4;  // bytes

struct Sizes {
  double genes, latent, fields;
  double networks = 0, network_parameters, network_layers, network_passes;
  double decoding, encoding, judging;       // columns of the table of weights over genes
  double classifier = 0, later_layers = 0;  // parameters; of these, behind the first layer
  double parameters = 0;

  double columns() const { return decoding + encoding + judging; }
};

Sizes sizes_of(const CycleAutoencoderOptions& o, const data::Vocabulary& vocabulary) {
  Sizes s{};
  s.genes = static_cast<double>(vocabulary.genes.size());
  s.latent = static_cast<double>(o.latent);
  s.fields = static_cast<double>(vocabulary.fields.size());
  s.network_layers = o.head.ffn == "mlp" ? 2 : 1;
  s.network_passes = o.head.route == "target" ? 1 : 2;
  s.network_parameters = s.network_layers * s.latent * (s.latent + (o.head.ffn_bias ? 1 : 0));
  double categories = 0;
  for (const auto& field : vocabulary.fields) {
    categories += static_cast<double>(field.categories.size());
    s.networks +=
        static_cast<double>(o.head.sets.count(field.name)
                                ? set_elements(o.head.sets.at(field.name), field.categories).size()
                                : field.categories.size());
  }
  s.decoding = (s.fields + 1) * s.latent + (o.head.decoder_bias ? s.fields : 0);
  s.encoding = s.fields * s.latent;
  double width = s.genes;
  for (const auto hidden : o.classifier_hidden) {
    s.classifier += static_cast<double>(hidden) * (width + 1);
    width = static_cast<double>(hidden);
  }
  s.classifier += categories * (width + 1);
  s.judging =
      o.classifier_hidden.empty() ? categories : static_cast<double>(o.classifier_hidden.front());
  s.later_layers = s.classifier - s.judging * (s.genes + 1);
  s.parameters = s.genes * (s.decoding + s.encoding) + (o.head.encoder_bias ? s.encoding : 0) +
                 s.networks * s.network_parameters + s.classifier;
  return s;
}

/// What both forms do: networks of the contexts, later layers of the classifier, the optimiser.
StepCost shared_cost(const Sizes& s, const StepShape& shape) {
  StepCost c;
  const double applied = 2 * s.network_passes * s.network_layers * s.fields * s.latent * s.latent;
  c.flop = 2 * shape.cells * (3 * applied + 5 * s.later_layers);
  // Networks without a cell of the global batch are left alone. AdamW reads four values and writes
  // three; the gradient is read once more for its norm; and cleared, all of it.
  const double used = std::min(s.networks, 2 * s.fields * shape.cells * shape.ranks);
  const double stepped = s.parameters - (s.networks - used) * s.network_parameters;
  c.moved = (1 + 8 / shape.shares) * kFloat * stepped;
  // Each gradient is written beside the one that it is added to; those of networks come from both
  // passes, whole, and their weights are read there and back.
  const double networks = s.networks * s.network_parameters;
  c.moved += kFloat * (4 * s.parameters + 4 * networks + 6 * used * s.network_parameters);
  c.summed = shape.ranks > 1 ? kFloat * s.parameters : 0;
  c.resident = (2 + 2 / shape.shares) * kFloat * s.parameters;
  c.parameters = s.parameters;
  return c;
}

StepCost dense_cost(const Sizes& s, const StepShape& shape) {
  StepCost c = shared_cost(s, shape);
  const double wide = shape.cells * s.genes, encoding = s.encoding + s.latent;
  // Decoding and encoding of generated cells, with both gradients but for the judges; the decoding
  // of the error. Then the cells themselves, which stay sparse on a host.
  c.flop += 2 * wide * (6 * s.decoding + 3 * encoding + 2 * s.judging);
  const double first_layer = encoding + s.judging;
  if (shape.on_host) {
    c.sparse_flop = 2 * 2 * shape.cells * shape.nonzeros * first_layer;
  } else {
    c.flop += 2 * wide * 2 * first_layer;
  }
  // Beside the products: gradients of the generated cells meet, entries are subtracted, the error
  // is squared. Weights are copied side by side, their gradients back; those of encoders meet.
  c.moved += kFloat * wide * (3 + 2 + 1);
  c.moved += kFloat * s.genes * (4 * s.decoding + 8 * encoding + 7 * s.judging);
  c.working = kFloat * (3 * wide + 2 * s.genes * (s.decoding + 2 * encoding + s.judging));
  return c;
}

StepCost factored_cost(const Sizes& s, const StepShape& shape) {
  StepCost c = shared_cost(s, shape);
  const double k = s.decoding, all = s.columns();
  c.full_flop =
      2 * s.genes * (k * (k / 2 + s.encoding + s.judging) + k * (all + s.encoding)) / shape.ranks;
  c.flop += 2 * 6 * shape.cells * k * all;
  c.sparse_flop = 2 * 2 * shape.cells * shape.nonzeros * all;
  // Weights are copied into the table and gradients out of it, where sparse products and Grams
  // meet; the products with it come and go.
  c.moved += kFloat * all * (7 * s.genes + 12 * shape.cells);
  if (shape.ranks > 1) c.summed += 2 * kFloat * k * all;
  c.working = kFloat * all * (3 * s.genes + 6 * shape.cells);
  return c;
}

/// About the time of a step, in multiply-adds of a dense product: an entry of a sparse product
/// costs as much as four, a byte of memory as eight.
double weighted(const StepCost& c) {
  return c.flop + c.full_flop + 4 * c.sparse_flop + 8 * c.moved;
}

}  // namespace

StepForms cycle_step_forms(const CycleAutoencoderOptions& options,
                           const data::Vocabulary& vocabulary, const StepShape& shape) {
  const auto s = sizes_of(options, vocabulary);
  StepForms result{{{"dense", dense_cost(s, shape)}, {"factored", factored_cost(s, shape)}}};
  if (options.compute == "factored") result.chosen = 1;
  if (options.compute != "auto") return result;
  constexpr double kEntriesOfCell = 1500;  // ranks must agree, so not this batch's own
  auto typical = shape;
  typical.nonzeros = std::min(s.genes, kEntriesOfCell);
  const bool less = weighted(factored_cost(s, typical)) < weighted(dense_cost(s, typical));
  result.chosen = less && shape.on_host ? 1 : 0;
  return result;
}

}  // namespace cellmill::models
