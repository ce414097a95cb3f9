#include "train/trainer.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "base/stop.h"
#include "comm/report.h"
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
  comm::watch(world, options.watchdog);
  const auto early = options.output.folder + ".failure.json";  // until the folder is ours
  if (world.rank == 0) std::filesystem::remove(early);
  comm::set_failure_file(early);
  return TrainingRun(world, options, config, start, interfere).run();
}

}  // namespace cellmill::train
