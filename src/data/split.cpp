#include "data/split.h"

#include <algorithm>

#include "base/error.h"
#include "base/format.h"
#include "base/random.h"

namespace cellmill::data {
namespace {

void hold_out_chunks(const std::vector<ChunkInfo>& index, const std::vector<std::int64_t>& chunks,
                     CellFilter& validation) {
  for (std::int64_t id : chunks) {
    if (id < 0 || id >= static_cast<std::int64_t>(index.size()))
      throw UsageError(fmt::format("validation_chunks names chunk {}; the data have {} chunks", id,
                                   index.size()),
                       fmt::format("chunks are numbered from 0 to {} in the order of their files",
                                   static_cast<std::int64_t>(index.size()) - 1),
                       Exit::kConfig);
    const auto begin = validation.begin() + index[id].first_cell;
    std::fill(begin, begin + index[id].rows, true);
  }
}

}  // namespace

Split make_split(const std::vector<ChunkInfo>& index, const SplitOptions& options) {
  if (!(options.validation_fraction >= 0 && options.validation_fraction < 1))
    throw UsageError(fmt::format("validation_fraction is {}; expected at least 0 and below 1",
                                 options.validation_fraction),
                     {}, Exit::kConfig);
  const std::int64_t cells = index.empty() ? 0 : index.back().first_cell + index.back().rows;
  Split split{CellFilter(cells), CellFilter(cells)};
  if (!options.validation_chunks.empty())
    hold_out_chunks(index, options.validation_chunks, split.validation);
  else
    for (std::int64_t cell = 0; cell < cells; ++cell)
      split.validation[cell] =
          random::unit(
              random::bits(random::Use::kSplit, {options.seed, static_cast<std::uint64_t>(cell)})) <
          options.validation_fraction;
  split.train = split.validation;
  split.train.flip();
  if (std::find(split.train.begin(), split.train.end(), true) == split.train.end())
    throw UsageError(fmt::format("the split leaves none of {} cells to train on", cells),
                     "hold out fewer chunks or a smaller fraction", Exit::kConfig);
  return split;
}

}  // namespace cellmill::data
