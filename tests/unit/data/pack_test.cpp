#include <catch2/catch.hpp>
#include <filesystem>
#include <numeric>

#include "../../suites/chunk_source_suite.h"
#include "data/store/unpack.h"
#include "io/files.h"
#include "io/npz.h"
#include "packed.h"

using namespace cellmill;
using namespace cellmill::data;
using Catch::Contains;
namespace fs = std::filesystem;

CATCH_TEST_CASE("a store keeps the promises of a source, and every cell", "[pack]") {
  Packed packed;
  packed.pack("a.cmpack");
  packed.pack("shards", false, 130);
  const auto given = open_source(packed.input);
  for (const char* name : {"a.cmpack", "shards"}) {
    CATCH_CAPTURE(name);
    const auto source = open_source(packed.source(name));
    check_source(*source);
    CATCH_CHECK(source->vocabulary() == given->vocabulary());
    CATCH_CHECK(cells_of(*source) == cells_of(*given));
    std::int64_t entries = 0;
    for (const ChunkInfo& chunk : given->index()) entries += given->load(chunk.id).entries();
    CATCH_CHECK(source->entries() == entries);
    CATCH_CHECK(source->reads_rows());
  }
  auto trusting = packed.source("a.cmpack");
  trusting.verify = false;
  check_source(*open_source(trusting));
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(packed.scratch / "shards"))
    files.push_back(entry.path().filename().string());
  std::sort(files.begin(), files.end());
  CATCH_CHECK(files == std::vector<std::string>{"shard-00000.cmpack", "shard-00001.cmpack",
                                                "shard-00002.cmpack"});
  CATCH_CHECK(std::distance(fs::directory_iterator(packed.scratch.folder), {}) == 2);
}

CATCH_TEST_CASE("reading rows returns the bytes of their blocks", "[pack]") {
  Packed packed;
  const auto report = packed.pack("a.cmpack");
  const auto source = open_source(packed.source("a.cmpack"));
  CATCH_CHECK(source->index()[0].rows == 128);  // whole blocks
  Chunk rows;
  const auto both = source->read(0, 60, 70, rows);
  rows.clear();
  CATCH_CHECK(source->read(0, 0, 64, rows) + source->read(0, 64, 128, rows) == both);
  CATCH_CHECK(source->read(0, 5, 5, rows) == 0);
  CATCH_CHECK(both < report.bytes);
}

CATCH_TEST_CASE("shuffling is a keyed permutation of all cells", "[pack]") {
  Packed packed;
  const auto report = packed.pack("a.cmpack", true);
  packed.pack("shards", true, 100);
  const auto numbers = numbers_of(packed.scratch / "a.cmpack");
  CATCH_CHECK(report.cells == 300);
  CATCH_CHECK(numbers == numbers_of(packed.scratch / "shards"));
  auto sorted = numbers;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int64_t> all(300);
  std::iota(all.begin(), all.end(), 0);
  CATCH_CHECK(sorted == all);
  CATCH_CHECK(numbers != all);
  const auto given = cells_of(*open_source(packed.input));
  const auto found = cells_of(*open_source(packed.source("a.cmpack")));
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i] != given[numbers[i]]) CATCH_FAIL("cell " << i);
}

CATCH_TEST_CASE("the same pack is the same file, whatever the threads and chunks", "[pack]") {
  Packed packed;
  packed.pack("a.cmpack", true);
  packed.input.chunk_cells = 33;
  packed.pack("b.cmpack", true);
  CATCH_CHECK(io::read_text(packed.scratch / "a.cmpack") ==
              io::read_text(packed.scratch / "b.cmpack"));
}

CATCH_TEST_CASE("unpacking gives npz and h5ad back, bit for bit, in either order", "[pack]") {
  Packed packed;
  packed.pack("a.cmpack", true);
  const auto given = open_source(packed.input);
  const auto shuffled = cells_of(*open_source(packed.source("a.cmpack")));
  for (const bool original : {false, true}) {
    const std::string h5ad = packed.scratch / (original ? "o.h5ad" : "s.h5ad");
    unpack({packed.scratch / "a.cmpack", h5ad, original, 16384});
    SourceOptions options;
    options.path = h5ad;
    for (const Field& field : given->vocabulary().fields) options.fields.push_back(field.name);
    const auto back = open_source(options);
    CATCH_CHECK(back->vocabulary() == given->vocabulary());
    CATCH_CHECK(cells_of(*back) == (original ? cells_of(*given) : shuffled));

    const std::string folder = packed.scratch / (original ? "o" : "s");
    unpack({packed.scratch / "a.cmpack", folder, original, 128});
    SourceOptions npz;
    npz.path = folder;
    npz.metadata = "none";
    const auto again = open_source(npz);
    CATCH_CHECK(again->index().size() == 3);
    CATCH_CHECK(again->vocabulary().genes == given->vocabulary().genes);
    const auto cells = cells_of(*again), expected = original ? cells_of(*given) : shuffled;
    for (std::size_t i = 0; i < cells.size(); ++i)
      CATCH_CHECK((std::get<0>(cells[i]) == std::get<0>(expected[i]) &&
                   std::get<1>(cells[i]) == std::get<1>(expected[i])));
    CATCH_CHECK_THAT(io::read_text(folder + "/metadata_00000.csv"),
                     Catch::StartsWith("cell,cell_type,tissue\n"));
  }
  CATCH_CHECK(error_of([&] {
                unpack({packed.scratch / "a.cmpack", packed.scratch / "o"});
              }) == "64 " + packed.scratch / "o" +
                        " exists already\n  hint: remove it, or choose another --output");
}

CATCH_TEST_CASE("fields of a store are chosen by name", "[pack]") {
  Packed packed;
  packed.pack("a.cmpack");
  auto options = packed.source("a.cmpack");
  options.fields = {"tissue"};
  const auto given = cells_of(*open_source(packed.input));
  const auto found = cells_of(*open_source(options));
  for (std::size_t i = 0; i < found.size(); ++i)
    CATCH_CHECK(std::get<2>(found[i]) == std::vector{std::get<2>(given[i])[1]});
  options.fields = {"tisue"};
  CATCH_CHECK(error_of([&] { open_source(options); }) ==
              "65 " + options.path + ": /fields: no field 'tisue'\n  hint: did you mean tissue?");
  options.fields = {};
  options.metadata = "none";
  CATCH_CHECK(open_source(options)->load(0).labels.empty());
  options.metadata = "preproc";
  CATCH_CHECK(error_of([&] { open_source(options); }) ==
              "78 " + options.path +
                  ": a store has its own labels; `metadata` is preproc\n  hint: leave `metadata` "
                  "empty, or say none");
}

CATCH_TEST_CASE("counts are normalised when packed or when read, not twice", "[pack]") {
  Packed packed;
  const std::string folder = packed.scratch / "counts";
  fs::create_directories(folder);
  io::write_csr(folder + "/c_1.npz", io::CsrFile{2, 3, {0, 2, 3}, {0, 2, 1}, {1, 3, 40}}, false);
  io::write_text_atomically(folder + "/genes.txt", "a\nb\nc\n");
  packed.input = {};
  packed.input.path = folder;
  packed.input.metadata = "none";
  packed.pack("counts.cmpack");
  packed.input.raw_counts = true;
  packed.pack("logs.cmpack");
  const auto expected = cells_of(*open_source(packed.input));
  auto counts = packed.source("counts.cmpack");
  CATCH_CHECK(std::get<1>(cells_of(*open_source(counts))[0]) == std::vector<float>{1, 3});
  counts.raw_counts = true;
  CATCH_CHECK(cells_of(*open_source(counts)) == expected);
  auto logs = packed.source("logs.cmpack");
  CATCH_CHECK(cells_of(*open_source(logs)) == expected);
  logs.raw_counts = true;
  CATCH_CHECK_THAT(error_of([&] { open_source(logs); }),
                   Contains("raw_counts is true, but the counts were normalised when they were "
                            "packed\n  hint: set raw_counts: false"));
}

CATCH_TEST_CASE("a store that is not whole, or no store, is refused", "[pack]") {
  Packed packed;
  packed.pack("shards", false, 130);
  packed.pack("other", true, 130);
  const fs::path folder = packed.scratch / "shards";
  const auto opening = [&](const std::string& name) {
    return error_of([&] { open_pack_store(packed.scratch / name); });
  };
  CATCH_CHECK(opening("shards/shard-00000.cmpack") ==
              "65 " + (folder / "shard-00000.cmpack").string() +
                  ": a shard is missing; expected 300 cells in 3 shards; found 130 in 1\n  hint: "
                  "name the folder, not one of its files");
  fs::rename(folder / "shard-00001.cmpack", packed.scratch / "kept");
  CATCH_CHECK(opening("shards") == "65 " + (folder / "shard-00002.cmpack").string() +
                                       ": attribute shard: a shard is missing or there twice; "
                                       "expected 1; found 2");
  fs::copy(packed.scratch.folder / "other" / "shard-00001.cmpack", folder);
  CATCH_CHECK(opening("shards") == "65 " + (folder / "shard-00001.cmpack").string() +
                                       ": belongs to another store than " +
                                       (folder / "shard-00000.cmpack").string() +
                                       "\n  hint: one folder holds the shards of one store");
  io::write_text_atomically(packed.scratch / "b.cmpack", "hello");
  CATCH_CHECK_THAT(opening("b.cmpack"), Contains("b.cmpack: bytes 0 to 511: is no store, or its "
                                                 "header is damaged; expected the header"));
  CATCH_CHECK_THAT(opening("none.cmpack"), Contains("66 ") && Contains("No such file"));
}

CATCH_TEST_CASE("what cannot be packed is refused before work", "[pack]") {
  Packed packed;
  packed.pack("a.cmpack");
  CATCH_CHECK_THAT(error_of([&] { packed.pack("a.cmpack"); }),
                   Contains("a.cmpack exists already\n  hint: remove it, or choose another"));
  CATCH_CHECK_THAT(
      error_of([&] { packed.pack("a.h5"); }),
      Contains("a.h5 is no name for a store\n  hint: name a file that ends in .cmpack"));
}

CATCH_TEST_CASE("a store is described", "[pack]") {
  Packed packed;
  packed.pack("a.cmpack", true);
  const PackStore store = open_pack_store(packed.scratch / "a.cmpack");
  const std::string text = describe_pack_store(store, StoreText::kShort, true);
  CATCH_CHECK_THAT(text, Contains("cells        300 in 1 file, shuffled with seed 5\n"));
  CATCH_CHECK_THAT(text, Contains("\nfield        cell_type, 3 categories: cell_type_0, "));
  CATCH_CHECK_THAT(text, Contains("\ndigests      every digest holds"));
  const std::string json = describe_pack_store(store, StoreText::kJson, false);
  CATCH_CHECK_THAT(json, Contains("\"cells\": 300") && !Contains("verified"));
}
