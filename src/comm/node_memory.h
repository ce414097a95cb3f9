#pragma once
// Memory that the ranks of one machine share, each with a part of its own that all of them map:
// what lies in it is reduced by reading the others' parts, without a message. MPI-3 windows. There
// is none where machines hold different numbers of ranks, or a rank is alone on its machine.
#include <ATen/core/Tensor.h>
#include <mpi.h>

#include <cstddef>
#include <vector>

#include "comm/communicator.h"

namespace cellmill::comm {

class NodeMemory {
 public:
  /// Collective over `parent`. `ranks` of a machine share memory; 0: all of it, 1: none.
  NodeMemory(MPI_Comm parent, int ranks);
  int rank() const { return rank_; }  ///< among those that share
  int size() const { return size_; }
  /// Zeros that last until `close`; collective, with equal arguments. An undefined tensor, on all
  /// ranks, where there is no such memory.
  at::Tensor zeros(std::int64_t count, const at::TensorOptions& options);
  /// Whether `own` lies in this rank's part. Then every rank has values at the same place, and:
  bool holds(const void* own) const { return window_of(own) != nullptr; }
  enum class Into { kOwn, kAll };
  /// Combines all ranks' values there, in order of rank, into this rank's part or everybody's.
  template <class T>
  void combine(T* own, std::int64_t count, Op op, Into into);
  /// Copies this rank's values into everybody's part.
  void spread(const void* own, std::size_t bytes);
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
  const Window* window_of(const void* own) const;

  MPI_Comm parent_, node_ = MPI_COMM_NULL, across_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
  bool usable_;
  std::vector<Window> windows_;
};

}  // namespace cellmill::comm
