#pragma once
// Synthetic cells packed in a folder of the test's own, and what is in stores and sources, cell by
// cell: for the tests of packing.
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "../expect.h"
#include "data/store/pack.h"
#include "data/store/pack_store.h"

namespace cellmill::data {

struct Packed {
  Scratch scratch;
  SourceOptions input;
  Packed() {
    input.format = "synthetic";
    input.synthetic_cells = 300;
    input.synthetic_genes = 40;
    input.synthetic_missing = 0.2;
    input.chunk_cells = 70;  // not in step with blocks of 64
  }
  PackReport pack(const std::string& name, bool shuffle = false, std::int64_t shard_cells = 0) {
    PackOptions options;
    options.output = scratch / name;
    options.shuffle = shuffle;
    options.seed = 5;
    options.shard_cells = shard_cells;
    options.threads = 2;
    return data::pack(input, options);
  }
  SourceOptions source(const std::string& name) const {
    SourceOptions options;
    options.path = scratch / name;
    options.chunk_cells = 100;
    return options;
  }
};

/// Columns, values and labels of a cell.
using Cell = std::tuple<std::vector<std::int32_t>, std::vector<float>, std::vector<std::int32_t>>;

inline std::vector<Cell> cells_of(const ChunkSource& source) {
  std::vector<Cell> cells;
  const auto fields = source.vocabulary().fields.size();
  for (const ChunkInfo& info : source.index()) {
    const Chunk chunk = source.load(info.id);
    for (std::int64_t r = 0; r < chunk.rows; ++r) {
      const auto begin = chunk.indptr[r], end = chunk.indptr[r + 1];
      const auto labels = chunk.labels.begin() + r * static_cast<std::int64_t>(fields);
      cells.push_back({{chunk.indices.begin() + begin, chunk.indices.begin() + end},
                       {chunk.values.begin() + begin, chunk.values.begin() + end},
                       {labels, labels + static_cast<std::int64_t>(fields)}});
    }
  }
  return cells;
}

/// Numbers that the cells of a store had where they were packed, in the store's order.
inline std::vector<std::int64_t> numbers_of(const std::string& path) {
  std::vector<std::int64_t> numbers;
  for (const PackFile& shard : open_pack_store(path).shards)
    shard.for_each_block([&](const BlockView& block) {
      for (std::int64_t r = 0; r < block.rows(); ++r) numbers.push_back(block.number(r));
    });
  return numbers;
}

}  // namespace cellmill::data
