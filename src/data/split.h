#pragma once
// Training and validation cells: whole chunks held out, or a fraction of cells by a keyed hash of
// the cell's number, so that a cell stays on its side whatever the ranks, epochs or chunk sizes.
#include <cstdint>
#include <vector>

#include "data/chunk.h"
#include "data/plan.h"

namespace cellmill::config {
class Schema;
}

namespace cellmill::data {

struct SplitOptions {
  double validation_fraction = 0.1;
  std::vector<std::int64_t> validation_chunks = {};  ///< ids; if given, the fraction is not used
  std::uint64_t seed = 0;
};
void describe(config::Schema& schema, SplitOptions& options);

struct Split {
  CellFilter train, validation;  ///< one bit a cell; each cell is in exactly one of them
};
/// Throws UsageError (78) if a named chunk does not exist, the fraction is not in [0, 1), or
/// nothing is left to train on. Validation may be empty.
Split make_split(const std::vector<ChunkInfo>& index, const SplitOptions& options);

}  // namespace cellmill::data
