#include "data/loader.h"

#include <ATen/ATen.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "data/sources/synthetic_source.h"
#include "data/split.h"

using namespace cellmill;
using namespace cellmill::data;

namespace {

SourceOptions settings(std::int64_t cells = 700, std::int64_t chunk = 64) {
  SourceOptions options;
  options.synthetic_cells = cells;
  options.synthetic_genes = 40;
  options.chunk_cells = chunk;
  options.synthetic_missing = 0.1;
  return options;
}

/// Counts loads, and fails or dawdles where told.
struct Watched : ChunkSource {
  explicit Watched(const SourceOptions& options) : inner(options), loads(inner.index().size()) {}
  const std::vector<ChunkInfo>& index() const override { return inner.index(); }
  const Vocabulary& vocabulary() const override { return inner.vocabulary(); }
  bool reads_rows() const override { return by_rows; }
  std::int64_t entries() const override { return inner.entries(); }
  std::int64_t append(const ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                      Chunk& rows) const override {
    ++loads[chunk.id];
    if (chunk.id == broken)
      throw DataError({"chunk_" + std::to_string(chunk.id), "", "", ""}, "is broken");
    if (delay_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    inner.read(chunk.id, begin, end, rows);
    return end - begin;
  }
  SyntheticSource inner;
  mutable std::vector<std::atomic<int>> loads;
  std::int64_t broken = -1;
  bool by_rows = true;
  int delay_ms = 0;
};

LoaderOptions mixed() { return {.block_cells = 16, .buffer_cells = 150}; }
PlanOptions batches(std::int64_t size = 50) { return {.global_batch = size, .seed = 9}; }

bool equal(const Batch& a, const Batch& b) {
  return at::equal(a.indptr, b.indptr) && at::equal(a.indices, b.indices) &&
         at::equal(a.values, b.values) && at::equal(a.labels, b.labels) &&
         at::equal(a.cells, b.cells) && a.genes == b.genes && a.global_cells == b.global_cells &&
         a.epoch == b.epoch && a.step == b.step;
}

/// All batches of some epochs; the end of an epoch is an empty optional.
std::vector<std::optional<Batch>> run(Loader& loader, std::int64_t epochs) {
  std::vector<std::optional<Batch>> seen;
  for (std::int64_t ended = 0; ended < epochs; ended += !seen.back()) seen.push_back(loader.next());
  return seen;
}

std::vector<std::int64_t> cells_of(const Batch& batch) {
  const auto* data = batch.cells.const_data_ptr<std::int64_t>();
  return {data, data + batch.cells.size(0)};
}

}  // namespace

CATCH_TEST_CASE("batches hold the cells of the plan, as the source gives them", "[loader]") {
  const Watched source(settings());
  Loader loader(source, nullptr, batches(), mixed(), {});
  const Plan plan = loader.plan();
  std::vector<std::int64_t> order;
  for (std::int64_t b = 0; b < plan.buffers(); ++b)
    for (CellRef cell : plan.buffer_cells(b)) order.push_back(plan.cell_number(cell));
  std::vector<std::int64_t> seen;
  for (const auto& batch : run(loader, 1)) {
    if (!batch) break;
    CATCH_CHECK(batch->global_cells == batch->size());
    for (std::int64_t i = 0; i < batch->size(); ++i) {
      const std::int64_t cell = cells_of(*batch)[i];
      const Chunk chunk = source.inner.load(cell / 64);
      const auto row = cell % 64, begin = chunk.indptr[row], end = chunk.indptr[row + 1];
      const auto* indptr = batch->indptr.const_data_ptr<std::int64_t>();
      CATCH_REQUIRE(indptr[i + 1] - indptr[i] == end - begin);
      CATCH_REQUIRE(std::equal(chunk.indices.begin() + begin, chunk.indices.begin() + end,
                               batch->indices.const_data_ptr<std::int32_t>() + indptr[i]));
      CATCH_REQUIRE(std::equal(chunk.values.begin() + begin, chunk.values.begin() + end,
                               batch->values.const_data_ptr<float>() + indptr[i]));
      CATCH_REQUIRE(std::equal(chunk.labels.begin() + row * 2, chunk.labels.begin() + row * 2 + 2,
                               batch->labels.const_data_ptr<std::int64_t>() + i * 2));
      seen.push_back(cell);
    }
  }
  CATCH_CHECK(seen == order);
}

CATCH_TEST_CASE("micro-shards stand one behind the other, the same bits on any number of ranks",
                "[loader]") {
  constexpr std::int64_t kMicroShards = 7;
  const Watched source(settings());
  for (const LoaderOptions& options : {mixed(), LoaderOptions{.order = "chunk"}})
    for (const std::int64_t ranks : {2, 3, 7}) {
      Loader alone(source, nullptr, batches(), options, {0, 1, kMicroShards});
      std::vector<Loader> loaders;
      for (std::int64_t r = 0; r < ranks; ++r)
        loaders.emplace_back(source, nullptr, batches(), options, Shard{r, ranks, kMicroShards});
      for (const auto& whole : run(alone, 1)) {
        std::int64_t next = 0;
        for (Loader& loader : loaders) {
          const auto part = loader.next();
          CATCH_REQUIRE(part.has_value() == whole.has_value());
          if (!whole) continue;
          CATCH_REQUIRE(whole->micro_shards.size() == kMicroShards + 1);
          CATCH_REQUIRE(whole->micro_shards.back() == whole->size());
          const auto& cuts = part->micro_shards;
          CATCH_REQUIRE(cuts.back() == part->size());
          for (std::size_t k = 0; k + 1 < cuts.size(); ++k, ++next)
            CATCH_REQUIRE(
                equal(cells_of(*part, cuts[k], cuts[k + 1]),
                      cells_of(*whole, whole->micro_shards[static_cast<std::size_t>(next)],
                               whole->micro_shards[static_cast<std::size_t>(next) + 1])));
        }
        CATCH_REQUIRE(next == (whole ? kMicroShards : 0));
      }
    }
}

CATCH_TEST_CASE("ranks' shares join to the batches of one rank", "[loader]") {
  const Watched source(settings());
  Loader alone(source, nullptr, batches(), mixed(), {});
  const auto whole = run(alone, 2);
  for (std::int64_t ranks : {2, 3, 60}) {
    std::vector<Loader> loaders;
    for (std::int64_t r = 0; r < ranks; ++r)
      loaders.emplace_back(source, nullptr, batches(), mixed(), Shard{r, ranks});
    for (const auto& expected : whole) {
      std::vector<std::int64_t> joined;
      for (Loader& loader : loaders) {
        const auto part = loader.next();
        CATCH_REQUIRE(part.has_value() == expected.has_value());
        if (!part) continue;
        CATCH_REQUIRE(part->global_cells == expected->global_cells);
        for (std::int64_t cell : cells_of(*part)) joined.push_back(cell);
      }
      if (!expected) continue;
      auto cells = cells_of(*expected);
      std::sort(cells.begin(), cells.end());
      std::sort(joined.begin(), joined.end());
      CATCH_REQUIRE(joined == cells);
    }
  }
}

CATCH_TEST_CASE("a rank reads its part of the rows, all ranks each row once", "[loader]") {
  const Watched source(settings(6000, 500));
  for (const char* order : {"mixed", "files"})
    for (std::int64_t ranks : {1, 2, 3, 4}) {
      std::int64_t all = 0;
      for (std::int64_t r = 0; r < ranks; ++r) {
        LoaderOptions options{.memory_mb = 0, .block_cells = 20, .buffer_cells = 1000};
        auto plan = batches(200);
        plan.shuffle = order == std::string("mixed");
        std::int64_t first = 0, taken = 0, read = 0;
        {
          Loader loader(source, nullptr, plan, options, {r, ranks});
          const auto take = [&](int epochs) {
            std::int64_t cells = 0;
            for (const auto& batch : run(loader, epochs))
              if (batch) cells += batch->size();
            return cells;
          };
          first = take(1);
          taken = first + take(4);
          read = loader.counters().rows_read;
        }
        CATCH_CHECK(std::abs(first - 6000 / ranks) < 300);
        CATCH_CHECK(read >= 0.9 * taken);  // a block of two buffers in a row is read once
        const double ahead = 2 * 1000.0 / ranks;  // of the sixth epoch: two buffers at most,
        const double slack = 1.25;                // and a rank's part of a buffer is one by chance
        CATCH_CHECK(read <= (plan.shuffle ? 1.0 : 1.8) * taken + slack * ahead);  // edges of slices
        all += first;
      }
      CATCH_CHECK(all == 6000);
    }
}

CATCH_TEST_CASE("rows held are bounded by two buffers", "[loader]") {
  const Watched source(settings(6000, 500));
  LoaderOptions options{.threads = 4, .memory_mb = 0, .block_cells = 20, .buffer_cells = 1000};
  Loader loader(source, nullptr, batches(100), options, {});
  run(loader, 3);
  const std::int64_t whole = 8 * source.entries() + 6000 * (8 + 4 * 2);
  CATCH_CHECK(loader.counters().peak_bytes > whole / 6);
  CATCH_CHECK(loader.counters().peak_bytes < 2 * 1.3 * whole / 6);
}

CATCH_TEST_CASE("a batch stays as it is while it is held", "[loader]") {
  const Watched source(settings());
  Loader loader(source, nullptr, batches(), mixed(), {});
  const Batch held = *loader.next();
  const at::Tensor values = held.values.clone(), cells = held.cells.clone();
  run(loader, 3);
  CATCH_CHECK(at::equal(held.values, values));
  CATCH_CHECK(at::equal(held.cells, cells));
}

CATCH_TEST_CASE("batches are the same whatever the threads, memory and prefetching", "[loader]") {
  Watched source(settings(2000, 50));
  Loader reference(source, nullptr, batches(), mixed(), {});
  const auto expected = run(reference, 2);
  for (std::int64_t threads : {1, 3, 8})
    for (std::int64_t prefetch : {0, 5}) {
      auto options = mixed();
      options.threads = threads;
      options.prefetch_chunks = prefetch;
      options.memory_mb = prefetch ? 2048 : 0;
      source.by_rows = threads != 3;
      Loader loader(source, nullptr, batches(), options, {});
      const auto seen = run(loader, 2);
      CATCH_REQUIRE(seen.size() == expected.size());
      for (std::size_t i = 0; i < seen.size(); ++i)
        CATCH_REQUIRE((seen[i] ? equal(*seen[i], *expected[i]) : !expected[i]));
    }
}

CATCH_TEST_CASE("seek goes on as an unbroken run", "[loader]") {
  const Watched source(settings());
  const Split split = make_split(source.index(), {.validation_fraction = 0.3});
  for (const char* order : {"mixed", "chunk"}) {
    auto options = mixed();
    options.order = order;
    Loader unbroken(source, &split.train, batches(), options, {1, 2});
    std::vector<Position> positions;
    std::vector<std::optional<Batch>> expected;
    for (int epochs = 0; epochs < 3; epochs += !expected.back()) {
      positions.push_back(unbroken.position());
      expected.push_back(unbroken.next());
    }
    for (std::uint64_t trial = 0; trial < 12; ++trial) {
      const auto from = random::below(random::bits(random::Use::kTest, {trial}), expected.size());
      options.threads = 1 + trial % 4;
      Loader loader(source, &split.train, batches(), options, {1, 2});
      for (std::uint64_t i = 0; i < trial % 3; ++i) loader.next();
      loader.seek(positions[from]);
      for (std::size_t i = from; i < expected.size(); ++i) {
        CATCH_REQUIRE(loader.position() == positions[i]);
        const auto batch = loader.next();
        CATCH_REQUIRE((batch ? expected[i] && equal(*batch, *expected[i]) : !expected[i]));
      }
    }
  }
}

CATCH_TEST_CASE("a position outside of the epoch is refused", "[loader]") {
  const Watched source(settings());
  Loader loader(source, nullptr, batches(), mixed(), {});
  CATCH_CHECK_THROWS_WITH(
      loader.seek({2, 15}),
      "the position to go on from lies outside of epoch 2; expected at most step 14; found step "
      "15");
}

CATCH_TEST_CASE("data that fit are loaded once a run", "[loader]") {
  const Watched source(settings());
  auto options = mixed();
  options.threads = 3;
  Loader loader(source, nullptr, batches(), options, {});
  run(loader, 4);
  CATCH_CHECK(loader.counters().rows_read == 700);
  CATCH_CHECK(loader.counters().bytes_read == 700);
  Watched whole(settings());
  whole.by_rows = false;
  Loader chunks(whole, nullptr, batches(), options, {});
  run(chunks, 4);
  for (const auto& loads : whole.loads) CATCH_CHECK(loads == 1);
}

CATCH_TEST_CASE("data that do not fit are loaded again, and said once to be too large",
                "[loader]") {
  const auto path = std::filesystem::temp_directory_path() / "cellmill_loader_test.log";
  std::filesystem::remove(path);
  log::also_to(path);
  Watched source(settings());
  source.by_rows = false;
  auto options = mixed();
  options.memory_mb = 0;
  options.block_cells = 0;
  {
    Loader loader(source, nullptr, batches(), options, {});
    run(loader, 3);
    CATCH_CHECK(loader.counters().rows_read > 700);
  }
  log::flush();
  std::ifstream file(path);
  std::string line;
  std::vector<std::string> lines;
  while (std::getline(file, line)) lines.push_back(line);
  std::filesystem::remove(path);
  CATCH_REQUIRE(lines.size() == 1);
  CATCH_CHECK_THAT(lines[0], Catch::Contains("more than memory_mb = 0: raise memory_mb, or set "
                                             "block_cells: 0"));
}

CATCH_TEST_CASE("held-out chunks are never loaded", "[loader]") {
  const Watched source(settings());
  const Split split = make_split(source.index(), {.validation_chunks = {3, 7}});
  Loader loader(source, &split.train, batches(), mixed(), {});
  run(loader, 2);
  CATCH_CHECK((source.loads[3] == 0 && source.loads[7] == 0));
  Loader validation(source, &split.validation, {.global_batch = 50, .shuffle = false}, mixed(), {});
  std::vector<std::int64_t> seen;
  for (const auto& batch : run(validation, 1))
    if (batch)
      for (std::int64_t cell : cells_of(*batch)) seen.push_back(cell);
  CATCH_CHECK(std::is_sorted(seen.begin(), seen.end()));
  CATCH_CHECK(seen.size() == 128);
}

CATCH_TEST_CASE("order: chunk takes a whole chunk at a time", "[loader]") {
  const Watched source(settings(640, 64));
  LoaderOptions options{.order = "chunk"};
  Loader loader(source, nullptr, batches(64), options, {});
  for (const auto& batch : run(loader, 1)) {
    if (!batch) continue;
    const auto cells = cells_of(*batch);
    for (std::int64_t cell : cells) CATCH_REQUIRE(cell / 64 == cells[0] / 64);
    CATCH_CHECK_FALSE(std::is_sorted(cells.begin(), cells.end()));
  }
  options.order = "chunks";
  CATCH_CHECK_THROWS_WITH(Loader(source, nullptr, batches(), options, {}),
                          "order is 'chunks'; expected mixed or chunk");
}

CATCH_TEST_CASE("what a thread could not load is thrown when its cells are due", "[loader]") {
  Watched source(settings());
  source.broken = 5;
  LoaderOptions options{.threads = 3, .order = "chunk"};
  Loader loader(source, nullptr, batches(), options, {});
  int good = 0;
  const auto read = [&] {
    while (true) {
      loader.next();
      ++good;
    }
  };
  CATCH_CHECK_THROWS_WITH(read(), "chunk_5: is broken");
  CATCH_CHECK_THROWS_WITH(loader.next(), "chunk_5: is broken");
  const Plan plan = loader.plan();
  std::int64_t place = 0;
  for (std::int64_t b = 0; plan.buffer_cells(b)[0].chunk != 5; ++b)
    place = plan.buffer_range(b).end;
  CATCH_CHECK(good == place / 50);
}

CATCH_TEST_CASE("a loader can be left at any time, at once", "[loader]") {
  Watched source(settings(6400, 64));
  source.delay_ms = 30;
  for (int taken = 0; taken < 3; ++taken) {
    const auto start = std::chrono::steady_clock::now();
    {
      LoaderOptions options{.threads = 2, .block_cells = 0, .buffer_cells = 0};
      Loader loader(source, nullptr, batches(), options, {});
      for (int i = 0; i < taken; ++i) loader.next();
    }
    CATCH_CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
  }
}

CATCH_TEST_CASE("an empty selection ends each epoch at once", "[loader]") {
  const Watched source(settings());
  const CellFilter nobody(700);
  Loader loader(source, &nobody, batches(), mixed(), {});
  CATCH_CHECK_FALSE(loader.next());
  CATCH_CHECK(loader.position() == Position{1, 0});
  CATCH_CHECK_FALSE(loader.next());
}
