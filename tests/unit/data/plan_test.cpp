#include "data/plan.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <map>

#include "base/random.h"

using namespace cellmill;
using namespace cellmill::data;

namespace {

std::vector<ChunkInfo> chunks_of(const std::vector<std::int64_t>& rows) {
  std::vector<ChunkInfo> index;
  std::int64_t first = 0;
  for (std::int64_t r : rows) {
    index.push_back({static_cast<std::int64_t>(index.size()), r, first, ""});
    first += r;
  }
  return index;
}

std::vector<std::int64_t> order_of(const Plan& plan) {
  std::vector<std::int64_t> order;
  for (std::int64_t b = 0; b < plan.buffers(); ++b) {
    CATCH_REQUIRE(plan.buffer_range(b).begin == static_cast<std::int64_t>(order.size()));
    for (CellRef cell : plan.buffer_cells(b)) order.push_back(plan.cell_number(cell));
    CATCH_REQUIRE(plan.buffer_range(b).end == static_cast<std::int64_t>(order.size()));
  }
  return order;
}

std::int64_t draw(std::uint64_t i, std::uint64_t what, std::uint64_t n) {
  return static_cast<std::int64_t>(random::below(random::bits(random::Use::kTest, {i, what}), n));
}

/// Data sets, filters and sizes of many shapes, drawn by number.
struct Case {
  std::vector<ChunkInfo> index;
  CellFilter filter;
  PlanOptions options;
  explicit Case(std::uint64_t i) {
    std::vector<std::int64_t> rows(1 + draw(i, 0, 12));
    for (std::size_t k = 0; k < rows.size(); ++k) rows[k] = draw(i, 100 + k, 300);
    index = chunks_of(rows);
    filter.resize(index.back().first_cell + index.back().rows);
    const std::uint64_t keep = 1 + draw(i, 1, 10);
    for (std::size_t c = 0; c < filter.size(); ++c)
      filter[c] = draw(i, 1000 + c, 10) < static_cast<std::int64_t>(keep);
    options = {.global_batch = 1 + draw(i, 2, 70),
               .block_cells = draw(i, 3, 40),
               .buffer_cells = draw(i, 4, 500),
               .shuffle = draw(i, 5, 4) > 0,
               .seed = i};
  }
};

}  // namespace

CATCH_TEST_CASE("every cell that passes the filter comes exactly once an epoch", "[plan]") {
  for (std::uint64_t i = 0; i < 60; ++i) {
    const Case c(i);
    auto order = order_of(make_plan(c.index, &c.filter, 3, c.options));
    if (!c.options.shuffle) CATCH_CHECK(std::is_sorted(order.begin(), order.end()));
    std::sort(order.begin(), order.end());
    std::vector<std::int64_t> expected;
    for (std::size_t cell = 0; cell < c.filter.size(); ++cell)
      if (c.filter[cell]) expected.push_back(static_cast<std::int64_t>(cell));
    CATCH_REQUIRE(order == expected);
  }
}

CATCH_TEST_CASE("shares of any number of ranks join to the order of one", "[plan]") {
  for (std::uint64_t i = 0; i < 60; ++i) {
    const Case c(i);
    const Plan plan = make_plan(c.index, &c.filter, 0, c.options);
    for (std::int64_t ranks : {2, 3, 4, 7, 64})
      for (std::int64_t b = 0; b < plan.buffers(); ++b) {
        const auto expected = plan.buffer_cells(b);
        std::vector<CellRef> joined(expected.size(), CellRef{-1, -1});
        for (std::int64_t r = 0; r < ranks; ++r) {
          const Plan::Share share = plan.share(b, {r, ranks});
          std::int32_t last = -1;
          for (const Plan::Cell& cell : share.cells) {
            CATCH_REQUIRE(cell.place > last);
            last = cell.place;
            const Plan::Block& block = share.blocks.at(cell.block);
            CATCH_REQUIRE(plan.rows_of(block).at(cell.nth) == cell.row);
            CATCH_REQUIRE(joined.at(cell.place).chunk == -1);
            joined[cell.place] = {block.chunk, cell.row};
          }
        }
        CATCH_REQUIRE(joined == expected);
      }
  }
}

CATCH_TEST_CASE("micro-shards are the same cells on any number of ranks, which take whole ones",
                "[plan]") {
  for (std::uint64_t i = 0; i < 40; ++i) {
    const Case c(i);
    const Plan plan = make_plan(c.index, &c.filter, 1, c.options);
    const std::int64_t micro_shards = 1 + draw(i, 7, 24);
    for (std::int64_t b = 0; b < plan.buffers(); ++b) {
      const auto of = [&](const Plan::Share& share, const Plan::Cell& cell) {
        return CellRef{share.blocks.at(cell.block).chunk, cell.row};
      };
      std::map<std::int64_t, std::vector<CellRef>> expected;  // by micro-shard, in order of place
      for (std::int64_t s = 0; s < micro_shards; ++s) {
        const auto share = plan.share(b, {s, micro_shards});
        for (const auto& cell : share.cells) expected[s].push_back(of(share, cell));
      }
      for (std::int64_t ranks : {1, 2, 3, 5}) {
        if (ranks > micro_shards) continue;
        std::map<std::int64_t, std::vector<CellRef>> found;
        for (std::int64_t r = 0; r < ranks; ++r) {
          const Shard shard{r, ranks, micro_shards};
          const auto share = plan.share(b, shard);
          for (const auto& cell : share.cells) {
            CATCH_REQUIRE(cell.micro_shard >= shard.begin(micro_shards));
            CATCH_REQUIRE(cell.micro_shard < shard.end(micro_shards));
            found[cell.micro_shard].push_back(of(share, cell));
          }
        }
        CATCH_REQUIRE(found == expected);
      }
    }
  }
}

CATCH_TEST_CASE("a rank takes near its part of every batch, of blocks of its own", "[plan]") {
  const Plan plan =
      make_plan(chunks_of({60000, 50000, 70001}), nullptr, 2, {.global_batch = 1024, .seed = 3});
  for (std::int64_t ranks : {2, 4, 16}) {
    for (std::int64_t b = 0; b + 1 < plan.buffers(); ++b) {
      std::map<std::int32_t, int> owners;
      const std::int64_t begin = plan.buffer_range(b).begin;
      for (std::int64_t r = 0; r < ranks; ++r) {
        const Plan::Share share = plan.share(b, {r, ranks});
        for (const Plan::Block& block : share.blocks) ++owners[block.number];
        std::map<std::int64_t, std::int64_t> cells;  // by step
        for (const Plan::Cell& cell : share.cells) ++cells[(begin + cell.place) / 1024];
        for (auto [step, count] : cells)
          if (step * 1024 >= begin && (step + 1) * 1024 <= plan.buffer_range(b).end)
            CATCH_REQUIRE(std::abs(count - 1024 / ranks) <= 1024 / ranks / 8 + 4);
      }
      for (auto [number, count] : owners) CATCH_REQUIRE(count == 1);
    }
  }
}

CATCH_TEST_CASE("a short last step is shared in slices, with nothing for some ranks", "[plan]") {
  const Plan plan = make_plan(chunks_of({10}), nullptr, 0, {.global_batch = 8, .shuffle = false});
  CATCH_CHECK(plan.steps() == 2);
  CATCH_CHECK(plan.step_cells(1) == 2);
  CATCH_CHECK(plan.step_range(1) == Plan::Range{8, 10});
  const auto places = [&](std::int64_t rank) {
    std::vector<std::int32_t> all;
    for (const auto& cell : plan.share(0, {rank, 4}).cells) all.push_back(cell.place);
    return all;
  };
  CATCH_CHECK(places(0) == std::vector<std::int32_t>{0, 1});
  CATCH_CHECK(places(1) == std::vector<std::int32_t>{2, 3, 8});
  CATCH_CHECK(places(3) == std::vector<std::int32_t>{6, 7, 9});
}

CATCH_TEST_CASE("the order depends on seed and epoch, not on the batch", "[plan]") {
  const auto index = chunks_of({1000, 500, 777});
  PlanOptions options{.block_cells = 32, .buffer_cells = 600, .seed = 5};
  const auto order = order_of(make_plan(index, nullptr, 0, options));
  CATCH_CHECK(order == order_of(make_plan(index, nullptr, 0, options)));
  CATCH_CHECK(order != order_of(make_plan(index, nullptr, 1, options)));
  options.global_batch = 17;
  CATCH_CHECK(order == order_of(make_plan(index, nullptr, 0, options)));
  options.seed = 6;
  CATCH_CHECK(order != order_of(make_plan(index, nullptr, 0, options)));
}

CATCH_TEST_CASE("block_cells 0 and buffer_cells 0: a whole chunk at a time, shuffled within",
                "[plan]") {
  const auto index = chunks_of({40, 60, 50, 30});
  const Plan plan = make_plan(index, nullptr, 0, {.block_cells = 0, .buffer_cells = 0, .seed = 1});
  CATCH_REQUIRE(plan.buffers() == 4);
  std::vector<std::int32_t> chunks;
  for (std::int64_t b = 0; b < 4; ++b) {
    const auto cells = plan.buffer_cells(b);
    for (CellRef cell : cells) CATCH_REQUIRE(cell.chunk == cells.front().chunk);
    CATCH_CHECK(static_cast<std::int64_t>(cells.size()) == index[cells.front().chunk].rows);
    CATCH_CHECK(!std::is_sorted(cells.begin(), cells.end(),
                                [](CellRef a, CellRef b) { return a.row < b.row; }));
    chunks.push_back(cells.front().chunk);
  }
  CATCH_CHECK(chunks != std::vector<std::int32_t>{0, 1, 2, 3});
}

CATCH_TEST_CASE("an empty data set has no steps", "[plan]") {
  CATCH_CHECK(make_plan({}, nullptr, 0, {}).steps() == 0);
  const CellFilter nobody(10);
  CATCH_CHECK(make_plan(chunks_of({10}), &nobody, 0, {}).steps() == 0);
}

namespace {
/// Bits of the chunk's distribution within batches of 512, averaged over some batches.
double chunk_bits(const std::vector<std::int32_t>& chunk_of_place) {
  double sum = 0;
  int batches = 0;
  for (std::size_t at = 0; at + 512 <= chunk_of_place.size() && batches < 400; at += 512) {
    std::map<std::int32_t, int> count;
    for (std::size_t p = at; p < at + 512; ++p) ++count[chunk_of_place[p]];
    for (auto [chunk, n] : count) sum -= n / 512.0 * std::log2(n / 512.0);
    ++batches;
  }
  return sum / batches;
}
}  // namespace

CATCH_TEST_CASE("batches mix many chunks nearly as well as a random order does", "[plan]") {
  for (std::int64_t count : {50, 100, 200}) {
    const Plan plan = make_plan(chunks_of(std::vector<std::int64_t>(count, 4096)), nullptr, 0, {});
    std::vector<std::int32_t> chunks;
    for (std::int64_t b = 0; b < 12; ++b)
      for (CellRef cell : plan.buffer_cells(b)) chunks.push_back(cell.chunk);
    std::vector<std::int32_t> random_chunks(chunks.size());
    for (std::size_t i = 0; i < random_chunks.size(); ++i)
      random_chunks[i] = static_cast<std::int32_t>(draw(i, 9, count));
    CATCH_INFO(count << " chunks: " << chunk_bits(chunks) << " of " << chunk_bits(random_chunks));
    CATCH_CHECK(chunk_bits(chunks) > 0.92 * chunk_bits(random_chunks));
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kSecondsToPlan = 30;  // every access is checked
#else
constexpr double kSecondsToPlan = 1;
#endif

CATCH_TEST_CASE("an epoch of 40 million cells is planned in well under a second", "[plan]") {
  const auto index = chunks_of(std::vector<std::int64_t>(400, 100000));
  const CellFilter all(40'000'000, true);
  const auto start = std::chrono::steady_clock::now();
  const Plan plan = make_plan(index, &all, 7, {});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  CATCH_CHECK(plan.cells() == 40'000'000);
  CATCH_CHECK(plan.buffer_cells(plan.buffers() / 2).size() >= 16384);
  CATCH_INFO(seconds.count() << " s");
  CATCH_CHECK(seconds.count() < kSecondsToPlan);
}
