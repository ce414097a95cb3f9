#pragma once
// Everything that a run must remember to go on as if it had never stopped, and its form in a
// checkpoint.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "data/chunk.h"
#include "data/loader.h"
#include "models/model.h"
#include "train/adamw.h"
#include "train/tally.h"

namespace cellmill::train {

struct TrainingState {
  std::int64_t steps = 0;       ///< done
  data::Position position;      ///< the next batch
  Tally interval, epoch;        ///< points of the curves not yet written
  double best = 0;              ///< best validation score
  std::int64_t best_step = -1;  ///< -1: none yet
  std::int64_t evaluations_without_gain = 0;
  std::int64_t settled = 0;  ///< the last step whose points and evaluation are written
  std::int64_t points = 0;   ///< lines of metrics.jsonl up to it
  /// Digest of which cells the steps saw (train/cell_order.h); none in a run that was begun before
  /// there was one.
  std::optional<std::uint64_t> cell_order = 0;
};

/// Keys: tensors "model/<parameter>", "model_buffer/<name>",
/// "optimiser/<group>/<moment1|moment2|steps>/<parameter>"; texts "config", "model",
/// "model_text/<name>"; lists "genes", "fields", "categories/<field>"; numbers and reals as named
/// here.
checkpoint::State to_checkpoint(const TrainingState& state, models::Model& model,
                                const std::vector<AdamW>& optimisers,
                                const data::Vocabulary& vocabulary, const std::string& config);

/// Copies into the model and optimisers. Throws DataError (file: `from`) if fields, categories or
/// genes differ from `vocabulary`, a text of the model differs, or a tensor is missing or of
/// another shape.
TrainingState from_checkpoint(const checkpoint::State& saved, const std::string& from,
                              models::Model& model, std::vector<AdamW>& optimisers,
                              const data::Vocabulary& vocabulary);

}  // namespace cellmill::train
