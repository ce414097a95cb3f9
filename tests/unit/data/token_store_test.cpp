#include "data/store/token_store.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "../../suites/chunk_source_suite.h"
#include "base/error.h"
#include "data/rank_tokenizer.h"
#include "data/sources/token_source.h"
#include "data/store/pack.h"
#include "io/files.h"
#include "io/hdf5.h"

using namespace cellmill;
using namespace cellmill::data;

namespace fs = std::filesystem;

namespace {

const fs::path kFolder =
    fs::temp_directory_path() / ("cellmill_token_store_" + std::to_string(getpid()));

GeneDictionary dictionary() {
  return {{"<pad>", "<mask>", "<cls>", "<eos>", "G4", "", "G6", "G7"},
          {0, 0, 0, 0, 1.5, 0, 2.5, 3.5},
          {{"SYMBOL", "G6"}},
          0,
          1,
          2,
          3};
}

TokenFacts facts(bool special) {
  return {
      dictionary(), {special ? 6 : 4, special}, {{"sex", {"F", "M"}}, {"day", {"1"}}}, "made.h5ad"};
}

using Cells = std::vector<std::vector<std::int32_t>>;
const Cells kCells = {{6, 4}, {}, {7, 6, 4}, {4}};

Sequences sequences_of(Cells cells, bool special) {
  Sequences sequences;
  for (auto& cell : cells) {
    if (special) cell.insert(cell.begin(), 2), cell.push_back(3);
    sequences.append(cell);
  }
  return sequences;
}

std::string written(const std::string& name, const Cells& cells = kCells, bool special = false) {
  fs::create_directories(kFolder);
  const fs::path path = kFolder / name;
  TokenStoreWriter writer(path, facts(special));
  const auto half = static_cast<std::ptrdiff_t>(cells.size() / 2);
  writer.add(sequences_of({cells.begin(), cells.begin() + half}, special),
             std::vector<std::int32_t>{0, 0, 1, -1}, {"a", "b"});
  writer.add(sequences_of({cells.begin() + half, cells.end()}, special),
             std::vector<std::int32_t>{-1, -1, 1, 0}, {"c", "d"});
  writer.finish();
  return path.string();
}

SourceOptions options_of(const std::string& path) {
  SourceOptions options;
  options.path = path;
  options.chunk_cells = 3;
  return options;
}

template <class Function>
std::string refusal(Function act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

CATCH_TEST_CASE("a token store is read as it was written", "[token_store]") {
  for (const bool special : {false, true}) {
    const std::string path = written("whole.h5", kCells, special);
    CATCH_CHECK(std::distance(fs::directory_iterator(kFolder), fs::directory_iterator()) == 1);
    const TokenStore store(path);
    CATCH_CHECK(store.facts().dictionary == dictionary());
    CATCH_CHECK(store.facts().options.max_length == (special ? 6 : 4));
    CATCH_CHECK(store.facts().options.special_tokens == special);
    CATCH_CHECK(store.facts().fields == facts(special).fields);
    CATCH_CHECK(store.facts().origin == "made.h5ad");
    CATCH_CHECK(store.names() == std::vector<std::string>{"a", "b", "c", "d"});
    CATCH_CHECK(store.labels() == std::vector<std::int32_t>{0, 0, 1, -1, -1, -1, 1, 0});
    Sequences all, some;
    store.read(0, 4, all);
    CATCH_CHECK(all.tokens == sequences_of(kCells, special).tokens);
    CATCH_CHECK(all.offsets == sequences_of(kCells, special).offsets);
    store.read(3, 4, some);
    store.read(1, 3, some);
    CATCH_CHECK(some.tokens == sequences_of({{4}, {}, {7, 6, 4}}, special).tokens);
    store.verify();
    CATCH_CHECK(io::H5File::open(path).read<std::int32_t>("/tokens") == all.tokens);
    fs::remove_all(kFolder);
  }
}

CATCH_TEST_CASE("a token store is a source of ranked cells", "[token_store]") {
  for (const bool special : {false, true}) {
    const std::string path = written("source.h5", kCells, special);
    const auto source = open_source(options_of(path));
    check_source(*source);
    CATCH_CHECK(source->vocabulary() ==
                Vocabulary{facts(special).fields, {"G4", "G6", "G7"}, true});
    CATCH_CHECK(source->entries() == 6);
    CATCH_CHECK(source->cell_names() == std::vector<std::string>{"a", "b", "c", "d"});
    const Chunk chunk = source->load(0);
    CATCH_CHECK(chunk.indptr == std::vector<std::int64_t>{0, 2, 2, 5});
    CATCH_CHECK(std::vector(chunk.indices.begin(), chunk.indices.end()) ==
                std::vector<std::int32_t>{0, 1, 0, 1, 2});
    CATCH_CHECK(std::vector(chunk.values.begin(), chunk.values.end()) ==
                std::vector<float>{1, 2, 1, 2, 3});
    CATCH_CHECK(chunk.labels == std::vector<std::int32_t>{0, 0, 1, -1, -1, -1});

    const RankTokenizer tokenizer(source->vocabulary().genes, dictionary(), facts(special).options,
                                  source->vocabulary().ranked);
    Sequences again;
    CATCH_CHECK(tokenizer.append(chunk.indptr.data(), chunk.indices.data(), chunk.values.data(), 3,
                                 again) == 0);
    CATCH_CHECK(again.tokens == sequences_of({{6, 4}, {}, {7, 6, 4}}, special).tokens);
    fs::remove_all(kFolder);
  }
}

CATCH_TEST_CASE("fields of a token store are chosen, or left out", "[token_store]") {
  SourceOptions options = options_of(written("fields.h5"));
  options.fields = {"day"};
  const auto source = open_source(options);
  CATCH_CHECK(source->vocabulary().fields == std::vector<Field>{{"day", {"1"}}});
  CATCH_CHECK(source->load(0).labels == std::vector<std::int32_t>{0, -1, -1});
  options.fields = {"dya"};
  CATCH_CHECK(
      refusal([&] { open_source(options); }).ends_with("fields.h5: /fields: no field 'dya'"));
  options.fields = {};
  options.metadata = "none";
  CATCH_CHECK(open_source(options)->vocabulary().fields.empty());
  options.raw_counts = true;
  CATCH_CHECK(refusal([&] {
                open_source(options);
              }).ends_with("raw_counts is true, but a token store keeps ranks"));
  CATCH_CHECK(refusal([&] {
                pack(options_of(options.path), {.output = kFolder / "x.cmpack"});
              }).ends_with("fields.h5 is a token store, which is not packed"));
  fs::remove_all(kFolder);
}

CATCH_TEST_CASE("a store that was made to mislead is refused", "[token_store]") {
  const auto loaded = [](const Cells& cells) {
    return refusal([&] { open_source(options_of(written("bad.h5", cells)))->load(1); });
  };
  CATCH_CHECK(loaded(kCells) == "accepted");
  for (const std::int32_t token : {1, 5, 8, -1})
    CATCH_CHECK(
        loaded({{}, {}, {}, {4, token}})
            .ends_with("bad.h5: cell 3: a token that is no gene; expected one of 3; found " +
                       std::to_string(token)));
  CATCH_CHECK(loaded({{}, {}, {}, {4, 6, 4}})
                  .ends_with("bad.h5: cell 3: a gene given twice; expected each once; found 4"));
  fs::remove_all(kFolder);
}

CATCH_TEST_CASE("any flipped byte and any cut of a token store is found", "[token_store]") {
  const std::string path = written("damaged.h5");
  const std::string whole = io::read_text(path);
  const auto outcome = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
    return refusal([&] {
      const auto source = open_source(options_of(path));
      for (const ChunkInfo& info : source->index()) source->load(info.id);
    });
  };
  CATCH_REQUIRE(outcome(whole) == "accepted");
  for (std::size_t at = 0; at < whole.size(); at += 41) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    const std::string text = outcome(bytes);
    CATCH_CHECK(text.starts_with(path + ": bytes "));
    CATCH_CHECK(text.find("damaged") != std::string::npos);
  }
  for (std::size_t left = 0; left < whole.size(); left += 199)
    CATCH_CHECK(outcome(whole.substr(0, left)).find("is cut short or damaged at its end") !=
                std::string::npos);
  fs::remove_all(kFolder);
}
