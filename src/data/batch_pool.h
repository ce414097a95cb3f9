#pragma once
// Memory for batches, used again once nobody holds the batch that had it: fresh pages cost more
// than filling them (2 GB/s against 12). A batch stays valid as long as it, or a tensor of it, is
// held. Thread-safe.
#include <cstdint>
#include <mutex>
#include <vector>

#include "data/batch.h"

namespace cellmill::data {

class BatchPool {
 public:
  /// A batch of these sizes; its numbers are not set.
  Batch take(std::int64_t cells, std::int64_t entries, std::int64_t fields);

 private:
  struct Slot {
    at::Tensor indptr, indices, values, labels, cells;  // flat, of at least the size needed
    bool free() const;
  };
  std::mutex mutex_;
  std::vector<Slot> slots_;
};

}  // namespace cellmill::data
