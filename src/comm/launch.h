#pragma once
// How the program came to run: alone, or as one of several ranks under mpirun or srun. Starts and
// ends MPI; every function of MPI's life but the communicators' is called here.
#include <mpi.h>

#include "comm/world.h"

namespace cellmill::comm {

/// Whether a launcher that Open MPI or MPICH can join (mpirun, srun --mpi=pmix) started us, by its
/// own environment.
bool under_launcher();

class Launch {
 public:
  /// Fills `world` and gives this rank its share of the cores. Throws UsageError if a launcher
  /// started several processes that MPI does not see as one world.
  void start(int argc, char** argv, World& world);
  /// For a rank whose body threw: true once all ranks have called it, false after `seconds`.
  bool all_failed(double seconds);
  /// Rank 0's text on every rank; only after `all_failed`.
  std::string first_words(const std::string& text);
  /// MPI_Finalize; collective. From here on SIGTERM ends this rank with `code`: launchers send it
  /// as soon as another rank has left with an error.
  void finish(int code);
  [[noreturn]] void abort(int code);

 private:
  bool mpi_ = false;
  MPI_Comm farewell_ = MPI_COMM_NULL;
};

}  // namespace cellmill::comm
