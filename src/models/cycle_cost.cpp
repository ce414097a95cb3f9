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
  c.summed = shape.ranks > 1 ? kFloat * s.parameters : 0;
  c.resident = (2 + 2 / shape.shares) * kFloat * s.parameters;
  c.parameters = s.parameters;
  return c;
}

StepCost dense_cost(const Sizes& s, const StepShape& shape) {
  StepCost c = shared_cost(s, shape);
  const double wide = shape.cells * s.genes;
  c.flop += 2 * wide * (11 * (s.fields + 1) * s.latent + 4 * s.judging);
  // Values of wide matrices read and written beside the products: each pass adds up F heads and
  // their biases (6 F + 1), their gradients meet again (2 F and 4 (F + 2)), the cells, the error.
  const double passes = 2 * (6 * s.fields + 1) + 4 * s.fields + 4 * (s.fields + 2) + 8;
  c.moved += kFloat * wide * passes;
  c.working = kFloat * wide * 7;  // the cells, both generated, their gradients, two sums under way
  return c;
}

StepCost factored_cost(const Sizes& s, const StepShape& shape, double nonzeros) {
  StepCost c = shared_cost(s, shape);
  const double k = s.decoding, all = s.columns();
  c.full_flop =
      2 * s.genes * (k * (k / 2 + s.encoding + s.judging) + k * (all + s.encoding)) / shape.ranks;
  c.flop += 2 * 6 * shape.cells * k * all;
  c.sparse_flop = 2 * 2 * shape.cells * nonzeros * all;
  // Weights are copied into the table and gradients out of it; the products with it come and go.
  c.moved += kFloat * all * (8 * s.genes + 12 * shape.cells);
  if (shape.ranks > 1) c.summed += 2 * kFloat * k * all;
  c.working = kFloat * all * (3 * s.genes + 6 * shape.cells);
  return c;
}

/// An entry of a sparse product costs as much as four of a dense one.
double weighted_flop(const StepCost& c) { return c.flop + c.full_flop + 4 * c.sparse_flop; }

}  // namespace

StepForms cycle_step_forms(const CycleAutoencoderOptions& options,
                           const data::Vocabulary& vocabulary, const StepShape& shape) {
  const auto s = sizes_of(options, vocabulary);
  StepForms result{
      {{"dense", dense_cost(s, shape)}, {"factored", factored_cost(s, shape, shape.nonzeros)}}};
  if (options.compute == "factored") result.chosen = 1;
  if (options.compute != "auto") return result;
  constexpr double kEntriesOfCell = 1500;  // ranks must agree, so not this batch's own
  const auto typical = factored_cost(s, shape, std::min(s.genes, kEntriesOfCell));
  const bool less = weighted_flop(typical) < weighted_flop(result.forms[0].cost);
  result.chosen = less && shape.on_host ? 1 : 0;
  return result;
}

}  // namespace cellmill::models
