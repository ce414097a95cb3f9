// A store feeds a loader with coded rows: the batches are those of the plain twin, CSR.
#include "data/sources/pack_rows.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "data/loader.h"
#include "data/split.h"
#include "io/files.h"
#include "packed.h"

using namespace cellmill;
using namespace cellmill::data;

namespace {

struct HeldAsCsr : PackSource {
  using PackSource::PackSource;
  std::unique_ptr<HeldRows> hold() const override { return csr_rows(*this); }
  std::int64_t bytes_held() const override { return ChunkSource::bytes_held(); }
};

/// A store of 1,000 cells in three shards.
struct Store : Packed {
  Store() {
    input.synthetic_cells = 1000;
    input.synthetic_genes = 300;
    pack("store", true, 400);
    options = source("store");
  }
  SourceOptions options;
};

std::vector<Batch> epochs(const ChunkSource& source, const CellFilter* filter,
                          const LoaderOptions& options, Shard shard, int count) {
  Loader loader(source, filter, {.global_batch = 90, .seed = 3}, options, shard);
  std::vector<Batch> batches;
  while (count > 0)
    if (auto batch = loader.next())
      batches.push_back(std::move(*batch));
    else
      --count;
  return batches;
}

bool equal(const Batch& a, const Batch& b) {
  return at::equal(a.indptr, b.indptr) && at::equal(a.indices, b.indices) &&
         at::equal(a.values, b.values) && at::equal(a.labels, b.labels) &&
         at::equal(a.cells, b.cells) && a.step == b.step && a.epoch == b.epoch;
}

std::string read_error(Loader& loader, int& batches) {
  return error_of([&] {
    for (;; ++batches) loader.next();
  });
}

}  // namespace

CATCH_TEST_CASE("coded rows make the batches that CSR makes", "[pack_rows]") {
  const Store store;
  const PackSource coded(store.options);
  const HeldAsCsr plain(store.options);
  const Split split = make_split(coded.index(), {.validation_fraction = 0.3});
  CATCH_CHECK(coded.bytes_held() < 0.6 * static_cast<double>(plain.bytes_held()));
  for (const CellFilter* filter : {static_cast<const CellFilter*>(nullptr), &split.train})
    for (const Shard shard : {Shard{0, 1}, Shard{1, 2}})
      for (const std::int64_t memory_mb : {0, 1024})
        for (const char* order : {"mixed", "chunk"}) {
          LoaderOptions options{.threads = memory_mb ? 1 : 3, .memory_mb = memory_mb};
          options.block_cells = 48;  // not in step with the blocks of the file
          options.buffer_cells = 300;
          options.order = order;
          const auto found = epochs(coded, filter, options, shard, 2);
          const auto expected = epochs(plain, filter, options, shard, 2);
          CATCH_REQUIRE(found.size() == expected.size());
          for (std::size_t i = 0; i < found.size(); ++i)
            if (!equal(found[i], expected[i])) CATCH_FAIL("batch " << i << ", order " << order);
        }
}

CATCH_TEST_CASE("a block is read once for all of its rows, and no block for none", "[pack_rows]") {
  const Store store;
  const PackSource source(store.options);
  Chunk whole;
  const auto first = source.read(0, 0, 64, whole), both = source.read(0, 0, 128, whole);
  const auto held = source.hold();
  CATCH_CHECK(held->read(0, std::vector<std::int32_t>{0, 2, 7, 63}) == first);
  CATCH_CHECK(held->read(0, std::vector<std::int32_t>{1, 127}) == both);
  CATCH_CHECK(held->read(0, std::vector<std::int32_t>{}) == 0);
  CATCH_CHECK(held->size() == 6);
}

CATCH_TEST_CASE("what is held is counted: a few bytes a cell more than the store", "[pack_rows]") {
  const Store store;
  const PackSource source(store.options);
  LoaderOptions options{.threads = 4, .memory_mb = 1, .block_cells = 20, .buffer_cells = 250};
  std::int64_t bytes = 0;
  const auto held = source.hold();
  for (const ChunkInfo& chunk : source.index())
    for (std::int32_t row = 0; row < chunk.rows; ++row) held->read(chunk.id, std::vector{row});
  bytes = held->bytes();
  CATCH_CHECK(bytes <= 1000 * source.bytes_held());
  CATCH_CHECK(bytes > 1000 * (source.bytes_held() - 40));
  Loader loader(source, nullptr, {.global_batch = 90, .seed = 3}, options, {});
  for (int epoch = 0; epoch < 2; epoch += !loader.next()) continue;
  CATCH_CHECK(loader.counters().rows_read == 1000);  // all of it fits and stays
  CATCH_CHECK(loader.counters().peak_bytes >= bytes);
  CATCH_CHECK(loader.counters().peak_bytes <= bytes + bytes / 10);
}

CATCH_TEST_CASE("counts that are normalised when they are read are held as CSR", "[pack_rows]") {
  Store store;
  store.options.raw_counts = true;
  const PackSource source(store.options);
  const auto held = source.hold();
  CATCH_CHECK(dynamic_cast<PackRows*>(held.get()) == nullptr);
  CATCH_CHECK(source.bytes_held() == source.ChunkSource::bytes_held());
}

CATCH_TEST_CASE("a row that no digest vouches for is refused when its batch is due",
                "[pack_rows]") {
  Store store;
  const std::filesystem::path shard =
      std::filesystem::path(store.options.path) / "shard-00001.cmpack";
  std::string coded;
  PackFile(shard).for_blocks(64, 128, Digests::kVerify, [&](const BlockView& block, std::int64_t) {
    const auto row = block.row(5);
    coded.assign(row.begin(), row.end());
  });
  const auto table = 4 * (static_cast<std::size_t>(static_cast<unsigned char>(coded[5])) + 1);
  const std::size_t at = io::read_text(shard).find(coded);
  CATCH_REQUIRE(at != std::string::npos);
  std::fstream(shard, std::ios::binary | std::ios::in | std::ios::out)
      .seekp(static_cast<std::streamoff>(at + 8 + table))
      .put('\xff');  // a code beyond the table
  const std::string text = "65 " + shard.string() + ": block 1, row 5: ";
  for (const bool verify : {true, false}) {
    store.options.verify = verify;
    const PackSource source(store.options);
    LoaderOptions options{.block_cells = 64, .buffer_cells = 128};
    PlanOptions plan{.global_batch = 50, .shuffle = false};
    Loader loader(source, nullptr, plan, options, {});
    int batches = 0;
    const std::string found = read_error(loader, batches);
    CATCH_CHECK(found == (verify ? "65 " + shard.string() +
                                       ": block 1: is damaged: its digest differs\n  hint: copy "
                                       "the file again, or pack it anew"
                                 : text + "is no row: a code beyond the table of values\n  hint: "
                                          "copy the file again, or pack it anew"));
    if (!verify) CATCH_CHECK(batches == (400 + 64 + 5) / 50);
    CATCH_CHECK(read_error(loader, batches) == found);  // and again
  }
}
