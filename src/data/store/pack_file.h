#pragma once
// One .cmpack file, a shard of a store: HDF5 with blocks of coded rows (coded_rows.h) in one
// contiguous dataset, so that readers find its offset once and then read blocks at their places, in
// any thread and without the HDF5 library and its lock.
//   header (pack_header.h) · / attributes: format cells first_cell entries shard shards store_cells
//   block_rows shuffled seed values vocabulary · /blocks uint8 · /block_offsets int64 [blocks+1] ·
//   /genes · /fields · /categories/N of field N · /sources/name, bytes, digest
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/store/block_log.h"
#include "data/store/coded_rows.h"
#include "data/store/pack_header.h"
#include "io/hdf5.h"

namespace cellmill::data {

/// Cells of a block. 64 is what a shuffling loader likes to read at once, some 270 kB.
inline constexpr std::int64_t kBlockRows = 64;

/// What a store is made of.
struct PackSourceFile {
  std::string name;
  std::int64_t bytes = 0;
  std::string digest;
  bool operator==(const PackSourceFile&) const = default;
};

/// What is the same in all shards of a store.
struct StoreFacts {
  std::int64_t cells = 0, shards = 1;
  bool shuffled = false;
  std::int64_t seed = 0;
  bool normalised = false;        ///< by us, to log1p of counts per 10,000; else as given
  std::string vocabulary_digest;  ///< of `digest_of`
  std::vector<PackSourceFile> sources;
  bool operator==(const StoreFacts&) const = default;
};
/// XXH3 of all names.
std::string digest_of(const Vocabulary& vocabulary);

/// What a shard has of its own.
struct ShardFacts {
  std::int64_t shard = 0, first_cell = 0, cells = 0, entries = 0;
};

/// Writes the file under `target`, whole or not at all, from finished blocks. Throws DataError.
void write_pack_file(const std::filesystem::path& target, const StoreFacts& store,
                     const ShardFacts& shard, const Vocabulary& vocabulary, const BlockLog& blocks);

class PackFile {
 public:
  /// Verifies header and structure before HDF5 reads it. Throws DataError (65, 66).
  explicit PackFile(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return file_.path(); }
  const StoreFacts& store() const { return store_; }
  const ShardFacts& shard() const { return shard_; }
  std::uint64_t bytes() const { return header_.bytes; }
  std::int64_t coded_bytes() const { return offsets_.back(); }  ///< of all blocks
  /// Names of genes, fields and categories; reads the file.
  Vocabulary read_vocabulary() const;
  /// Appends cells [begin, end) of this file to `rows`, as BlockView::decode does, and returns the
  /// bytes read. Any thread. Throws DataError.
  std::int64_t append(std::int64_t begin, std::int64_t end, Digests digests,
                      std::span<const LabelColumn> labels, Chunk& rows) const;
  /// Shows the blocks of cells [begin, end) in order, each with the number of its first cell, and
  /// returns the bytes read. Any thread; `visit` reads no store. Throws DataError.
  using Visit = std::function<void(const BlockView&, std::int64_t first)>;
  std::int64_t for_blocks(std::int64_t begin, std::int64_t end, Digests digests,
                          const Visit& visit) const;
  /// Asks the system to read the blocks of these cells soon.
  void expect(std::int64_t begin, std::int64_t end) const;
  /// All blocks in order, digests compared.
  void for_each_block(const std::function<void(const BlockView&)>& visit) const;

 private:
  std::int64_t blocks() const { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  /// Reads blocks from `first` on, up to `end` or some 1 MiB, and returns the one after them.
  std::int64_t fetch(std::int64_t first, std::int64_t end, std::vector<std::uint8_t>& bytes) const;
  BlockView view(std::int64_t first, std::int64_t block, const std::vector<std::uint8_t>& bytes,
                 Digests digests) const;

  io::Descriptor file_;
  PackHeader header_;
  StoreFacts store_;
  ShardFacts shard_;
  std::size_t fields_ = 0;
  std::vector<std::int64_t> offsets_;  // of blocks in /blocks, and one past the end
};

}  // namespace cellmill::data
