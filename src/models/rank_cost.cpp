#include "models/rank_cost.h"

#include <algorithm>

namespace cellmill::models {

StepForms rank_step_forms(const RankEncoderOptions& o, std::int64_t tokens,
                          const StepShape& shape) {
  constexpr double kFloat = 4;  // bytes
  const auto hidden = static_cast<double>(o.hidden), inner = static_cast<double>(o.intermediate);
  const auto layers = static_cast<double>(o.layers), heads = static_cast<double>(o.heads);
  const auto words = static_cast<double>(o.vocabulary > 0 ? o.vocabulary : tokens);
  const double length = std::min(shape.nonzeros, static_cast<double>(o.max_length));
  const double rows = shape.cells * length, masked = o.mask.fraction * rows;
  const double layer = 4 * hidden * (hidden + 1) + 2 * hidden * inner + inner + 5 * hidden;
  StepCost c;
  c.parameters = hidden * (words + static_cast<double>(o.max_length + o.type_vocabulary) + 2) +
                 layers * layer + hidden * (hidden + 3) + words;
  const double forward =
      rows * layers * (layer + 2 * length * hidden) + masked * hidden * (hidden + words);
  c.flop = 2 * 3 * forward;
  const double layer_values = rows * (8 * hidden + 2 * inner);
  const double dropped = o.dropout.attention > 0 ? rows * length * heads : 0;
  c.moved = kFloat * (3 * layers * (layer_values + 3 * dropped) + 6 * masked * words);
  c.moved += (4 + 1 + 8 / shape.shares) * kFloat * c.parameters;
  c.summed = shape.ranks > 1 ? kFloat * c.parameters : 0;
  c.resident = (2 + 2 / shape.shares) * kFloat * c.parameters;
  c.working = kFloat * (layers * (layer_values + 3 * dropped) + 3 * masked * words);
  return {{{"packed", c}}, 0};
}

}  // namespace cellmill::models
