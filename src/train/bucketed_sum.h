#pragma once
// Gradients summed over the ranks in buckets while backward still runs. A bucket starts once all of
// its parameters have their gradient and the buckets before it have started, so that all ranks
// start them in one order; what backward left, because no cell of this rank used a parameter,
// starts after it. On communicators that add in order of rank the bits are those of a sum of the
// whole afterwards. The parameters must outlive it.
#include <cstdint>
#include <vector>

#include "comm/communicator.h"
#include "train/adamw.h"

namespace cellmill::train {

class BucketedSum {
 public:
  BucketedSum(const std::vector<AdamW>& optimisers, comm::Communicator& world,
              std::int64_t bucket_bytes);
  ~BucketedSum();
  BucketedSum(const BucketedSum&) = delete;
  /// Before backward.
  void arm();
  /// After it: the gradients are summed, for what the current stream does next.
  void finish();

 private:
  struct Hook;
  struct Bucket {
    GradientBucket content;
    std::size_t missing = 0;  ///< parameters without their gradient yet
  };
  void arrived(std::size_t bucket);
  void start_ready();

  comm::Communicator& world_;
  std::vector<Bucket> buckets_;
  std::size_t next_ = 0;  ///< to be started
  bool armed_ = false;
};

}  // namespace cellmill::train
