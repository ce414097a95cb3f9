#pragma once
// `cellmill pack`: any source of cells into a store. A store is one .cmpack file, or a folder of
// shards. It can be shuffled, exactly: a keyed permutation of all cells, whatever their source.
#include <cstdint>
#include <filesystem>
#include <string>

#include "data/chunk_source.h"

namespace cellmill::data {

struct PackOptions {
  std::filesystem::path output;  ///< file *.cmpack, or with `shard_cells` a folder
  bool shuffle = false;
  std::int64_t seed = 0;         ///< of the shuffle
  std::int64_t shard_cells = 0;  ///< 0: one file
  std::int64_t threads = 0;      ///< that read and code cells, each holding 4,096 or, where a
                                 ///< source reads no less, a chunk; 0: one a core
};

struct PackReport {
  std::int64_t cells = 0, resumed_at = 0, shards = 0;
  std::int64_t bytes = 0;      ///< of the store
  std::int64_t csr_bytes = 0;  ///< of the same cells with int32 columns and float32 values
  double seconds = 0;
};

/// Throws UsageError for an output that exists or an unfinished job of other input or options that
/// lies beside it (64), DataError for what the source refuses (65, 66) or the system (74). Under
/// its final name the store is whole or absent; what a killed or refused job wrote is kept in
/// ".OUTPUT.packing" and gone on with, verified, by the same call. Free space needed: up to twice
/// the store, three times when shuffling.
PackReport pack(const SourceOptions& input, const PackOptions& options);
std::string text_of(const PackReport& report);

}  // namespace cellmill::data
