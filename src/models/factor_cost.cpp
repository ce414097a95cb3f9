#include "models/factor_cost.h"

namespace cellmill::models {
namespace {

constexpr double kFloat = 4;  // bytes

double linear(double in, double out) { return out * (in + 1); }

/// Parameters of encoder and decoder between their wide layers, priors, heads and adversaries.
double inner_parameters(const FactorOptions& o, const FactorShape& sizes) {
  const auto& n = o.network;
  const auto hidden = static_cast<double>(n.hidden), prior = static_cast<double>(n.prior_hidden);
  const auto blocks = [&](double width, std::int64_t count) {
    const double wide = width * static_cast<double>(n.expand);
    return static_cast<double>(count) *
           (linear(width, wide) + linear(wide, width) + 2 * (width + wide));
  };
  double sum = 2 * blocks(hidden, n.blocks) + 4 * hidden;
  for (std::size_t g = 0; g < kFactorGroups; ++g) {
    const auto width = static_cast<double>(sizes.widths[g]);
    if (width == 0) continue;
    sum += linear(hidden, 2 * width) + width * hidden;
    double metadata = 0;
    for (const auto& field : sizes.fields) {
      const auto words = static_cast<double>(field.size());
      if (field.group == g) {
        metadata += static_cast<double>(field.width());
        if (field.classified) sum += linear(width, words);
      } else if (o.loss.adversary > 0 && field.classified && field.is_category()) {
        const auto h = static_cast<double>(n.adversary_hidden);
        sum += h > 0 ? linear(width, h) + linear(h, words) : linear(width, words);
      }
    }
    if (metadata > 0)
      sum += linear(metadata, prior) + 4 * prior + blocks(prior, n.prior_blocks) +
             linear(prior, 2 * width);
  }
  return sum;
}

}  // namespace

StepForms factor_step_forms(const FactorOptions& options, const FactorShape& sizes,
                            const StepShape& shape) {
  const auto genes = static_cast<double>(sizes.genes);
  const auto hidden = static_cast<double>(options.network.hidden);
  const double inner = inner_parameters(options, sizes), wide = shape.cells * genes;
  const bool sparse = shape.on_host && options.dropout.input == 0;
  const double decodings = options.loss.prior_reconstruction > 0 ? 2 : 1;
  StepCost c;
  c.parameters = inner + 2 * genes * hidden + 2 * genes;
  c.flop = 2 * shape.cells * 3 * inner + decodings * 2 * 3 * wide * hidden;
  (sparse ? c.sparse_flop : c.flop) +=
      2 * 2 * hidden * (sparse ? shape.cells * shape.nonzeros : wide);
  // Sparse counts take one pass over logits, which becomes the gradient; others are laid out,
  // logits normalised, multiplied, and all that back.
  const bool one_pass = shape.on_host && options.chosen_likelihood() == "multinomial";
  const double passes = one_pass ? 5 : 10, matrices = one_pass ? 2 : 5;
  c.moved = kFloat * (decodings * passes * wide + 8 * genes * hidden);
  c.moved += (4 + 1 + 8 / shape.shares) * kFloat * c.parameters;
  c.summed = shape.ranks > 1 ? kFloat * c.parameters : 0;
  c.resident = (2 + 2 / shape.shares) * kFloat * c.parameters;
  c.working = kFloat * (decodings * matrices * wide + 3 * genes * hidden);
  return {{{"dense", c}}, 0};
}

}  // namespace cellmill::models
