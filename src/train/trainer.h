#pragma once
// A training run from its options to its last checkpoint, the same on every rank. The loop: next
// batch, step, record, evaluate, save. All decisions (stop, save, best, early end) are taken from
// numbers that are equal on all ranks. A run that is stopped, killed or resumed at any step goes on
// bit-identically; with train.deterministic: across_world_sizes also on another number of ranks.
// Ranks whose models differ (train/replicas.h) go back to the last checkpoint, or stop.
#include <cstdint>
#include <functional>
#include <string>

#include "comm/world.h"
#include "models/model.h"
#include "train/run_options.h"

namespace cellmill::train {

enum class Start { kFresh, kResume };

/// `config` is the effective run file. With kResume the newest valid checkpoint of the run folder
/// is continued, if there is one. Returns kDone or, after SIGTERM or SIGUSR1 and a checkpoint,
/// kRequeue. Throws what every rank then throws alike. `interfere` is for tests: called after every
/// step with the number of steps done.
using Interfere = std::function<void(std::int64_t, models::Model&)>;
Exit train(comm::World& world, const RunOptions& options, const std::string& config, Start start,
           const Interfere& interfere = {});

/// The device of this rank, by train.device (auto | cpu | cuda); opens NCCL's world where it is
/// CUDA. Collective.
c10::Device choose_device(comm::World& world, const std::string& wanted);

}  // namespace cellmill::train
