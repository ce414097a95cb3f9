#pragma once
// What a step of the cycle autoencoder costs in its two forms, and which one `compute: auto` takes:
// the one place that counts. G genes, L latent, F fields, K = (F + 1) L + biases columns that
// decode, J classifier units of the first layer.
//   dense     cells * G * (6 K + 3 (F + 1) L + 2 J) multiply-adds, and products of the cells with
//             (F + 1) L + J columns, sparse on a host
//   factored  G * (K (K / 2 + F L + J) + K (K + 2 F L + J)) once, whatever the cells, and sparse
//             products of the cells with all K + F L + J columns
#include "data/chunk.h"
#include "models/cycle_options.h"
#include "models/step_cost.h"

namespace cellmill::models {

/// "dense" and "factored". On several ranks the choice is a function of what all know alike.
StepForms cycle_step_forms(const CycleAutoencoderOptions& options,
                           const data::Vocabulary& vocabulary, const StepShape& shape);

}  // namespace cellmill::models
