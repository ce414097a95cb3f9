#pragma once
// Memory that the ranks of one machine share, each with a part of its own that all of them map:
// what lies in it is reduced by reading the others' parts, without a message. MPI-3 windows. There
// is none where machines hold different numbers of ranks, or a rank is alone on its machine.
#include <ATen/core/Tensor.h>
#include <mpi.h>

#include <cstddef>
#include <vector>

namespace cellmill::comm {

class NodeMemory {
 public:
  /// Collective over `parent`. `ranks` of a machine share memory; 0: all of it, 1: none.
  NodeMemory(MPI_Comm parent, int ranks);
  int rank() const { return rank_; }  ///< among those that share
  /// Zeros that last until `close`; collective, with equal arguments. An undefined tensor, on all
  /// ranks, where there is no such memory.
  at::Tensor zeros(std::int64_t count, const at::TensorOptions& options);
  /// Where `own`, in this rank's part, is in every rank's part, in order of rank; none if it lies
  /// in no part.
  std::vector<std::byte*> places(const void* own) const;
  /// All who share have come here, and see what the others wrote before.
  void meet();
  /// Ranks of the same place on all machines; of one rank where there is one machine.
  MPI_Comm across() const { return across_; }
  /// Collective; the tensors are gone.
  void close();

 private:
  struct Window {
    MPI_Win window;
    std::size_t bytes;
    std::vector<std::byte*> parts;
  };
  bool all_have(bool mine) const;

  MPI_Comm parent_, node_ = MPI_COMM_NULL, across_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  bool usable_;
  std::vector<Window> windows_;
};

}  // namespace cellmill::comm
