#pragma once
// The pass over the training cells that a model may want before its first step (Model::survey), on
// all ranks.
#include "comm/communicator.h"
#include "data/device_feed.h"
#include "data/loader.h"
#include "models/model.h"
#include "train/passes.h"

namespace cellmill::train {

/// One epoch of `loader` (not shuffled), from its beginning. With micro-shards the sums are of the
/// same bits on any number of ranks.
void survey(models::Model& model, data::Loader& loader, data::DeviceFeed& feed,
            comm::Communicator& world, Passes& passes);

}  // namespace cellmill::train
