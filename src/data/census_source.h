#pragma once
// Opens data for a report rather than for training: faulty values are counted, values stay as they
// stand in the files, labels that training would miss are said and left out, and an .h5ad for which
// no fields are named shows all columns that could be fields.
#include <memory>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/faults.h"

namespace cellmill::data {

struct CensusSource {
  std::unique_ptr<ChunkSource> source;  ///< null: nothing could be opened
  std::shared_ptr<Faults> faults;
  std::vector<std::string> refusals;
};

/// Throws what says that there is nothing to report on: no such file (66), bad settings (78), the
/// system's refusals (74).
CensusSource open_for_census(const SourceOptions& options);

}  // namespace cellmill::data
