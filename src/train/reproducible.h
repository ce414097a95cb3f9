#pragma once
// What train.deterministic: across_world_sizes needs: micro-shards, a number of threads that is the
// same everywhere, and nothing whose order of additions follows the number of ranks.
#include <c10/core/Device.h>

#include "train/passes.h"
#include "train/run_options.h"

namespace cellmill::train {

PassOptions pass_options(const LoopOptions& options);

/// Sets this rank's threads. Throws UsageError (78) for settings that do not go together.
void set_reproducible(const RunOptions& options, c10::Device device);

}  // namespace cellmill::train
