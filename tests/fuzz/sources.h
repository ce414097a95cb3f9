#pragma once
// All chunks of a source that was opened from fuzzed bytes.
#include "data/chunk_source.h"
#include "data/row_check.h"
#include "fuzz.h"

namespace cellmill::fuzz {

/// A chunk may be refused; one that is given must keep the promises of data/chunk.h.
inline void read_all(const data::ChunkSource& source) {
  const auto& fields = source.vocabulary().fields;
  for (const data::ChunkInfo& info : source.index()) {
    source.expect(info.id, 0, info.rows);
    accepted([&] {
      const data::Chunk chunk = source.load(info.id);
      require(chunk.rows == info.rows &&
              chunk.labels.size() == static_cast<std::size_t>(info.rows) * fields.size());
      require(data::rows_are_good(chunk.indptr.data(), chunk.rows, chunk.indices.data(),
                                  chunk.values.data(), chunk.genes));
      for (std::size_t i = 0; i < chunk.labels.size(); ++i)
        require(chunk.labels[i] >= data::kMissing &&
                chunk.labels[i] <
                    static_cast<std::int32_t>(fields[i % fields.size()].categories.size()));
    });
  }
}

}  // namespace cellmill::fuzz
