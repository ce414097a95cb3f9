#pragma once
// The shards of a store being packed, in a folder: finished ones as .cmpack files, the one being
// written as a log of blocks. Goes on after a killed writer with every block that verifies; the
// files are the same, byte for byte, as if nothing had happened. One thread.
#include <cstdint>
#include <filesystem>
#include <memory>

#include "data/store/pack_file.h"

namespace cellmill::data {

class ShardWriter {
 public:
  /// `shard_cells` cells a shard, the last one may have fewer.
  ShardWriter(std::filesystem::path folder, StoreFacts store, Vocabulary vocabulary,
              std::int64_t shard_cells);
  /// The cell of the store that comes next; all are written when it is their number.
  std::int64_t next_cell() const;
  /// The next cells. A shard is finished with its last one.
  void add(const CodedRows& rows);

  struct Written {
    std::int64_t shards = 0, cells = 0, entries = 0, bytes = 0;
  };
  /// What is in finished shards.
  const Written& written() const { return written_; }
  static std::string name_of(std::int64_t shard);  ///< "shard-00000.cmpack"

 private:
  std::int64_t cells_of(std::int64_t shard) const;
  void recover();
  bool take_finished(const std::filesystem::path& file);
  void open_log();
  void finish_shard();

  std::filesystem::path folder_;
  StoreFacts store_;
  Vocabulary vocabulary_;
  std::int64_t shard_cells_;
  Written written_;
  CodedRows block_;  // the next one, not yet full
  std::int64_t entries_ = 0;
  std::unique_ptr<BlockLog> log_;  // of the shard being written; none after the last
};

}  // namespace cellmill::data
