#pragma once
// The table of cell sources: one row a file format. `open_source` (data/chunk_source.h) searches
// it.
#include <memory>
#include <string>
#include <vector>

#include "data/chunk_source.h"
#include "data/faults.h"

namespace cellmill::data {

struct SourceFormat {
  std::string name;
  /// Is this path, which exists, of this format? Asked for `format: auto`.
  bool (*recognises)(const std::string& path);
  std::unique_ptr<ChunkSource> (*open)(const SourceOptions& options,
                                       std::shared_ptr<Faults> faults);
};

const std::vector<SourceFormat>& source_table();

/// As open_source; faulty values and genes named twice are counted in `faults`, not refused.
std::unique_ptr<ChunkSource> open_counting_faults(const SourceOptions& options,
                                                  std::shared_ptr<Faults> faults);

}  // namespace cellmill::data
