#pragma once
// A training run from its options to its last checkpoint, the same on every rank. The loop: next
// batch, step, record, evaluate, save. All decisions (stop, save, best, early end) are taken from
// numbers that are equal on all ranks. A run that is stopped, killed or resumed at any step goes on
// bit-identically.
#include <string>

#include "comm/world.h"
#include "train/run_options.h"

namespace cellmill::train {

enum class Start { kFresh, kResume };

/// `config` is the effective run file. With kResume the newest valid checkpoint of the run folder
/// is continued, if there is one. Returns kDone or, after SIGTERM or SIGUSR1 and a checkpoint,
/// kRequeue. Throws what every rank then throws alike.
Exit train(comm::World& world, const RunOptions& options, const std::string& config, Start start);

/// The device of this rank, by train.device (auto | cpu | cuda); opens NCCL's world where it is
/// CUDA. Collective.
c10::Device choose_device(comm::World& world, const std::string& wanted);

}  // namespace cellmill::train
