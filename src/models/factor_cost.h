#pragma once
// What a step of the factor model costs. G genes, H hidden: products of the cells with H columns,
// sparse on a host, and a dense [cells, G] times H; all else is small beside them.
#include "models/factor_network.h"
#include "models/step_cost.h"

namespace cellmill::models {

/// One form, "dense", of a network of this shape.
StepForms factor_step_forms(const FactorOptions& options, const FactorShape& sizes,
                            const StepShape& shape);

}  // namespace cellmill::models
