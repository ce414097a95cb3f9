#pragma once
// A sum over numbered leaves whose additions form one fixed binary tree: the bits depend on the
// leaves alone, whatever the number of ranks that they lie on. A rank adds what of the tree lies
// within its leaves; the few sums that are left are cut into as many shares as there are ranks,
// each rank adds the rest of the tree for its share, and the shares are gathered.
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "comm/communicator.h"

namespace cellmill::comm {

class TreeSum {
 public:
  /// At least as many leaves as ranks; rank r has [leaves * r / size, leaves * (r + 1) / size).
  TreeSum(Communicator& world, std::int64_t leaves);
  /// This rank's next leaf, which is copied: a float32 or float64 tensor, of equal size everywhere.
  void add(const at::Tensor& leaf);
  /// After this rank's last leaf: the sum over all leaves, on every rank, into a contiguous tensor.
  /// Collective. Then begins anew.
  void finish(at::Tensor& sum);

 private:
  /// Leaves [begin, end), a node of the tree.
  struct Node {
    std::int64_t begin, end;
    at::Tensor sum;  ///< flat
  };
  bool is_node(std::int64_t begin, std::int64_t end) const;
  /// The sums that a rank's leaves come to, from left to right.
  std::vector<Node> sums_of(std::int64_t rank) const;
  void exchange(at::Tensor& sum);
  std::int64_t begin_of(std::int64_t rank) const { return leaves_ * rank / world_.size(); }

  Communicator& world_;
  const std::int64_t leaves_;
  std::int64_t next_;
  std::vector<Node> nodes_;        // of this rank, from left to right
  std::vector<at::Tensor> spare_;  // memory of nodes that were added to others
};

}  // namespace cellmill::comm
