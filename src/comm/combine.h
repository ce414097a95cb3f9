#pragma once
// Sums and maxima of several ranks' values in order of rank: the bits do not depend on who adds.
#include <cstdint>
#include <vector>

#include "comm/communicator.h"

namespace cellmill::comm {

/// Every target[i] = parts[0][i] op parts[1][i] op ..., in that order; a target may be one of the
/// parts. T: float, double, int64, uint8.
template <class T>
void combine_in_order(const std::vector<T*>& targets, const std::vector<T*>& parts,
                      std::int64_t count, Op op);

}  // namespace cellmill::comm
