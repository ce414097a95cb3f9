#pragma once
// A digest of which cells a run has seen in which of its steps. It does not depend on the number of
// ranks, nor on which of them had a cell: two runs that saw the same cells in the same steps have
// the same one, and no others.
#include <cstdint>

#include "base/random.h"
#include "data/batch.h"

namespace cellmill::train {

/// Of this rank's cells; added over ranks, modulo 2^64, the step's.
inline std::uint64_t digest_of_cells(const data::Batch& batch) {
  const auto* cells = batch.cells.const_data_ptr<std::int64_t>();
  const auto place = random::bits(
      random::Use::kCellOrder,
      {static_cast<std::uint64_t>(batch.epoch), static_cast<std::uint64_t>(batch.step)});
  std::uint64_t sum = 0;
  for (std::int64_t k = 0; k < batch.size(); ++k)
    sum += random::mix(place ^ random::mix(static_cast<std::uint64_t>(cells[k])));
  return sum;
}

/// Of a run that goes on with a step of these cells.
inline std::uint64_t digest_of_order(std::uint64_t before, std::uint64_t step) {
  return random::mix(before ^ random::mix(step));
}

}  // namespace cellmill::train
