#pragma once
// Do all ranks still hold the same model? Bits that a memory or a processor turned, or a step that
// one rank did otherwise, show in no loss at first. A digest (XXH3) of all that ranks hold alike is
// compared; where it differs, the ranks that are not with the majority are named, and the tensors.
// Moments that are sharded lie on one rank alone, and have nothing to be compared with.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "models/model.h"
#include "train/adamw.h"

namespace cellmill::train {

struct Difference {
  std::vector<int>
      ranks;         ///< that differ from more than half of all; all ranks if there is no such half
  std::string text;  ///< who, where, in what
};

/// The same answer on every rank; none: all are alike. Collective, over host tensors.
std::optional<Difference> compare_replicas(comm::Communicator& host, const std::string& host_name,
                                           models::Model& model,
                                           const std::vector<AdamW>& optimisers);

}  // namespace cellmill::train
