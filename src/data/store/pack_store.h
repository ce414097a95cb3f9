#pragma once
// A store as it is read: one .cmpack file, or the shards of a folder.
#include <filesystem>
#include <string>
#include <vector>

#include "data/store/pack_file.h"

namespace cellmill::data {

struct PackStore {
  std::filesystem::path path;
  std::vector<PackFile> shards;
  Vocabulary vocabulary;
  const StoreFacts& facts() const { return shards.front().store(); }
  std::int64_t entries() const;
};

/// By the name: *.cmpack, or a folder with such a file.
bool is_pack_store(const std::filesystem::path& path);
/// Verifies the header and structure of every shard. Throws DataError (65, 66) for damage, a shard
/// that is missing or belongs to another store.
PackStore open_pack_store(const std::filesystem::path& path);

enum class StoreText { kShort, kNames, kJson };
/// What is in a store. With `verify` every block's digest is compared; the first damage is thrown.
std::string describe_pack_store(const PackStore& store, StoreText text, bool verify);

}  // namespace cellmill::data
