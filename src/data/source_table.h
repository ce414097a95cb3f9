#pragma once
// The table of cell sources: one row a file format. `open_source` (data/chunk_source.h) searches
// it.
#include <memory>
#include <string>
#include <vector>

#include "data/chunk_source.h"

namespace cellmill::data {

struct SourceFormat {
  std::string name;
  /// Is this path, which exists, of this format? Asked for `format: auto`.
  bool (*recognises)(const std::string& path);
  std::unique_ptr<ChunkSource> (*open)(const SourceOptions& options);
};

const std::vector<SourceFormat>& source_table();

}  // namespace cellmill::data
