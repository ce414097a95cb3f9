#pragma once
// Is this machine fit for a run? Looks at what carries one (launcher, MPI, Slurm, GPUs, torch,
// cores, memory, limits, shared memory, the disk of the output folder), measures the disk and the
// time to the first tensor, and says the remedy for what is wrong.
#include <cstdint>
#include <string>

#include "comm/world.h"
#include "train/readiness.h"

namespace cellmill::train {

struct DoctorOptions {
  std::string version;              ///< of the program
  std::string folder = "runs/run";  ///< output folder of the run
  std::string device = "auto";
  std::int64_t disk_mb = 128;  ///< to measure the disk with; 0: do not
};

/// Collective; one rank of each host looks, and rank 0 has the findings of all of them, the same
/// ones joined. Nothing stays behind.
Findings examine(comm::World& world, const DoctorOptions& options);

}  // namespace cellmill::train
