#pragma once
// The batch script of a job: slurm/train.sbatch, which the program carries with it, with the
// settings at its top filled in. What is not said keeps what the script says.
#include <cstdint>
#include <string>
#include <vector>

namespace cellmill::app {

/// Empty or 0: as in slurm/train.sbatch.
struct JobSettings {
  std::string name, log, time;
  std::int64_t nodes = 0, ranks = 0, cpus = 0, gpus = 0;  ///< ranks and gpus a node, cpus a rank
  std::vector<std::string> more;  ///< other options of sbatch, "partition=gpu" or "exclusive"
  std::string program, config, folder;
};

/// Throws UsageError (64) for a path or option that cannot stand in a script as it is.
std::string job_script(const JobSettings& settings);

/// slurm/train.sbatch as it was when the program was built.
extern const char* const kTrainScript;

}  // namespace cellmill::app
