#pragma once
// Which libraries and devices carry the world of ranks, in words, for reports. Needs no world:
// nothing is started.
#include <string>

namespace cellmill::comm {

/// "Open MPI v4.1.4"; with what it was compiled against, where that is another version.
std::string mpi_version();
/// "mpirun", "srun" or "" (alone), by the environment that the launcher leaves.
std::string launcher();

struct Accelerators {
  bool built_in = false;  ///< does this program know CUDA?
  std::string libraries;  ///< "CUDA runtime 12.8, NCCL 2.27.5"
  std::string driver;     ///< the highest CUDA version that the driver knows; empty: no driver
  std::string devices;    ///< "2 x NVIDIA H100 80GB HBM3"; empty: none
  int count = 0;
};
/// Asks CUDA where the program has it.
Accelerators accelerators();

}  // namespace cellmill::comm
