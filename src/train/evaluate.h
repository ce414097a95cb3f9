#pragma once
// Held-out cells, on all ranks: each takes its share of every batch, sums are added over ranks, and
// all ranks hold the same scores.
#include <map>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "data/device_feed.h"
#include "data/loader.h"
#include "models/model.h"
#include "train/recorder.h"

namespace cellmill::train {

struct EvaluationResult {
  std::map<std::string, double> scores;
  std::vector<HeadInfluence> influence;
};

/// One epoch of `loader` (not shuffled), from its beginning.
EvaluationResult evaluate(models::Model& model, data::Loader& loader, data::DeviceFeed& feed,
                          comm::Communicator& world, const models::StepContext& context);

}  // namespace cellmill::train
