#include "data/store/pack_store.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/format.h"
#include "io/json.h"

namespace cellmill::data {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.path().extension() == ".cmpack") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void check_place(const PackStore& store, std::int64_t place, std::int64_t first_cell) {
  const PackFile& file = store.shards[place];
  if (file.store() != store.facts())
    throw DataError({file.path().string(), {}, {}, {}},
                    "belongs to another store than " + store.shards[0].path().string(),
                    "one folder holds the shards of one store");
  if (file.shard().shard != place || file.shard().first_cell != first_cell)
    throw DataError({file.path().string(), "attribute shard", fmt::format("{}", place),
                     fmt::format("{}", file.shard().shard)},
                    "a shard is missing or there twice");
}

std::uint64_t bytes_of(const PackStore& store) {
  std::uint64_t bytes = 0;
  for (const PackFile& shard : store.shards) bytes += shard.bytes();
  return bytes;
}

std::string order_text(const StoreFacts& facts) {
  return facts.shuffled ? fmt::format("shuffled with seed {}", facts.seed) : "as packed";
}

std::string json_of(const PackStore& store, std::optional<bool> verified) {
  const StoreFacts& facts = store.facts();
  io::Json json{{"store", store.path.string()},   {"format", kPackFormat},
                {"cells", facts.cells},           {"shards", facts.shards},
                {"entries", store.entries()},     {"bytes", bytes_of(store)},
                {"shuffled", facts.shuffled},     {"seed", facts.seed},
                {"normalised", facts.normalised}, {"genes", store.vocabulary.genes},
                {"fields", io::Json::object()},   {"sources", io::Json::array()}};
  for (const Field& field : store.vocabulary.fields) json["fields"][field.name] = field.categories;
  for (const PackSourceFile& file : facts.sources)
    json["sources"].push_back({{"name", file.name}, {"bytes", file.bytes}, {"xxh3", file.digest}});
  if (verified) json["verified"] = *verified;
  return json.dump(2);
}

std::string some(const std::vector<std::string>& names, std::size_t most) {
  const auto shown = std::min(names.size(), most);
  std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (shown < names.size()) text += fmt::format(", ... ({} more)", names.size() - shown);
  return text;
}

}  // namespace

std::int64_t PackStore::entries() const {
  std::int64_t entries = 0;
  for (const PackFile& file : shards) entries += file.shard().entries;
  return entries;
}

bool is_pack_store(const fs::path& path) {
  if (!fs::is_directory(path)) return path.extension() == ".cmpack";
  return !files_of(path).empty();
}

PackStore open_pack_store(const fs::path& path) {
  PackStore store{path, {}, {}};
  std::int64_t cells = 0;
  for (const fs::path& file : files_of(path)) {
    store.shards.emplace_back(file);
    check_place(store, static_cast<std::int64_t>(store.shards.size()) - 1, cells);
    cells += store.shards.back().shard().cells;
  }
  if (store.shards.empty())
    throw DataError({path.string(), {}, "files named *.cmpack", "none"}, "no store", {},
                    Exit::kNoInput);
  if (cells != store.facts().cells)
    throw DataError(
        {path.string(),
         {},
         fmt::format("{} cells in {} shards", store.facts().cells, store.facts().shards),
         fmt::format("{} in {}", cells, store.shards.size())},
        "a shard is missing",
        fs::is_directory(path) ? "" : "name the folder, not one of its files");
  store.vocabulary = store.shards.front().read_vocabulary();
  return store;
}

std::string describe_pack_store(const PackStore& store, StoreText how, bool verify) {
  if (verify)
    for (const PackFile& shard : store.shards) shard.for_each_block([](const BlockView&) {});
  if (how == StoreText::kJson) return json_of(store, verify ? std::optional(true) : std::nullopt);
  const StoreFacts& facts = store.facts();
  const std::size_t most = how == StoreText::kNames ? ~std::size_t{0} : 5;
  std::string text;
  const auto line = [&](std::string_view name, const std::string& value) {
    text += fmt::format("{:<12} {}\n", name, value);
  };
  const auto cells = static_cast<double>(facts.cells);
  line("store", store.path.string());
  line("cells", fmt::format("{} in {} file{}, {}", facts.cells, facts.shards,
                            facts.shards == 1 ? "" : "s", order_text(facts)));
  line("expression", fmt::format("{:.0f} entries and {:.0f} bytes a cell, {}",
                                 static_cast<double>(store.entries()) / cells,
                                 static_cast<double>(bytes_of(store)) / cells,
                                 facts.normalised ? "normalised to log1p of counts per 10,000"
                                                  : "values as they were given"));
  line("genes",
       fmt::format("{}: {}", store.vocabulary.genes.size(), some(store.vocabulary.genes, most)));
  for (const Field& field : store.vocabulary.fields)
    line("field", fmt::format("{}, {} categories: {}", field.name, field.categories.size(),
                              some(field.categories, most)));
  for (const PackSourceFile& file : facts.sources)
    line("source", fmt::format("{}, {} bytes, xxh3 {}", file.name, file.bytes, file.digest));
  line("digests", verify ? "every digest holds"
                         : "header and structure hold; --verify compares those of all blocks");
  text.pop_back();
  return text;
}

}  // namespace cellmill::data
