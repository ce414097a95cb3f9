#include "comm/versions.h"

#include <mpi.h>

#include <cstdlib>

#include "base/format.h"

namespace cellmill::comm {

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  std::string found(text, static_cast<std::size_t>(length));
  found = found.substr(0, found.find_first_of(",\n"));
#ifdef OMPI_MAJOR_VERSION
  const auto compiled = fmt::format("v{}.{}", OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION);
  if (found.find(compiled) == std::string::npos)
    found += fmt::format(", but compiled against Open MPI {}.{}", compiled, OMPI_RELEASE_VERSION);
#endif
  return found;
}

std::string launcher() {
  if (std::getenv("SLURM_STEP_ID") && !std::getenv("OMPI_MCA_orte_launch")) return "srun";
  if (std::getenv("OMPI_COMM_WORLD_SIZE") || std::getenv("PMI_RANK")) return "mpirun";
  return std::getenv("PMIX_RANK") ? "a launcher that speaks PMIx" : "";
}

}  // namespace cellmill::comm
