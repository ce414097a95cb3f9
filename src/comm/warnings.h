#pragma once
// Warnings of all ranks on one console: ranks other than 0 say theirs in their logs alone, and rank
// 0 says them now and then, each distinct one once, with the ranks that said it.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace cellmill::comm {

class SharedWarnings {
 public:
  /// What the ranks have warned of since the last call. Collective.
  void share(Communicator& world);

 private:
  std::map<std::string, std::set<int>> said_;  // on rank 0
};

/// {1, 2, 3, 7} -> "ranks 1 to 3, 7"
std::string ranks_in_words(const std::vector<int>& ranks);

}  // namespace cellmill::comm
