#include "train/trainer.h"

#include <ATen/ATen.h>

#include "base/stop.h"
#include "train/training_run.h"

namespace cellmill::train {

c10::Device choose_device(comm::World& world, const std::string& wanted) {
  const bool there = at::globalContext().hasCUDA();
  if (wanted == "cpu" || (wanted == "auto" && !there)) return c10::kCPU;
  comm::use_cuda(world);
  return world.device;
}

Exit train(comm::World& world, const RunOptions& options, const std::string& config, Start start,
           const Interfere& interfere) {
  install_stop_signals();
  return TrainingRun(world, options, config, start, interfere).run();
}

}  // namespace cellmill::train
