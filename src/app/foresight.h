#pragma once
// What `plan` and `train --dry-run` share: the machine that is named or measured, and the work of a
// step counted from the settings and the data, without making the model.
#include "app/run_files.h"
#include "train/forecast.h"
#include "train/machine_probe.h"
#include "train/run_options.h"

namespace cellmill::app {

/// What stands after --machine: a name ("this": measured now), files and settings on top.
class MachineWords {
 public:
  static constexpr const char* kThis = "this";
  static void declare(config::CommandLine& line, std::vector<std::string>& words);
  /// Throws UsageError for an unknown name.
  explicit MachineWords(const std::vector<std::string>& words);
  /// Reads and checks what was given, the same on every rank. Collective; before `measured`,
  /// `find`.
  void read(comm::World& world);
  bool measured() const { return name_ == kThis && given_.files.empty(); }
  /// Collective where it is measured.
  train::Machine find(comm::World& world, const train::ProbePlan& probe) const;

 private:
  std::string name_ = kThis;
  RunFiles files_;
  config::Layers given_;
};

/// `cells`: of a step and rank. The result refers to both arguments.
train::Work work_of(const train::RunOptions& o, const data::ChunkSource& source, double cells);
train::ProbePlan probe_of(const train::RunOptions& o, const data::ChunkSource& source,
                          const train::Work& work);

}  // namespace cellmill::app
