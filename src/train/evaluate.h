#pragma once
// Held-out cells, on all ranks: each takes its share of every batch, sums are added over ranks, and
// all ranks hold the same scores. With micro-shards each has sums of its own, which are added in a
// tree: the same bits on any number of ranks (not of the influence, which is for the eye).
#include <map>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "data/device_feed.h"
#include "data/loader.h"
#include "models/model.h"
#include "train/passes.h"
#include "train/recorder.h"

namespace cellmill::train {

struct EvaluationResult {
  std::map<std::string, double> scores;
  std::vector<HeadInfluence> influence;
};

/// One epoch of `loader` (not shuffled), from its beginning.
EvaluationResult evaluate(models::Model& model, data::Loader& loader, data::DeviceFeed& feed,
                          comm::Communicator& world, Passes& passes);

}  // namespace cellmill::train
