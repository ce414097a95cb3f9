#pragma once
// What a step of the rank encoder costs. A cell of n genes: by layer 4 H^2 + 2 H F multiply-adds a
// token and 2 n^2 H of attention; the head for the masked genes alone.
#include "models/rank_encoder_options.h"
#include "models/step_cost.h"

namespace cellmill::models {

/// One form, "packed". `tokens`: of the dictionary. Every cell is taken to have as many genes as
/// the average one.
StepForms rank_step_forms(const RankEncoderOptions& options, std::int64_t tokens,
                          const StepShape& shape);

}  // namespace cellmill::models
