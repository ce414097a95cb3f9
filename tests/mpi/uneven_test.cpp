// Chunks of prime, one and zero rows, more ranks than chunks, short last batches: every cell comes
// once an epoch, all ranks take as many steps, and what they learn is what one rank does.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <map>
#include <memory>

#include "comm/solo_communicator.h"
#include "data/chunk_source.h"
#include "data/loader.h"
#include "models/cycle_autoencoder.h"
#include "test_world.h"
#include "train/step.h"

using namespace cellmill;

namespace {

constexpr std::int64_t kGenes = 9;

/// Cells whose content is a function of their number.
struct Uneven : data::ChunkSource {
  explicit Uneven(const std::vector<std::int64_t>& rows) {
    std::int64_t first = 0;
    for (const auto n : rows) {
      index_.push_back({static_cast<std::int64_t>(index_.size()), n, first, "chunk"});
      first += n;
    }
    vocabulary_.fields = {{"type", {"a", "b", "c"}}};
    for (int g = 0; g < kGenes; ++g) vocabulary_.genes.push_back("G" + std::to_string(g));
  }
  const std::vector<data::ChunkInfo>& index() const override { return index_; }
  const data::Vocabulary& vocabulary() const override { return vocabulary_; }
  bool reads_rows() const override { return true; }
  std::int64_t entries() const override { return 2 * cells(); }
  std::int64_t append(const data::ChunkInfo& chunk, std::int64_t begin, std::int64_t end,
                      data::Chunk& rows) const override {
    for (auto cell = chunk.first_cell + begin; cell < chunk.first_cell + end; ++cell) {
      const auto gene = static_cast<std::int32_t>(cell % (kGenes - 1));
      rows.indices.push_back(gene);
      rows.indices.push_back(gene + 1);
      rows.values.push_back(1.0F + static_cast<float>(cell % 5));
      rows.values.push_back(0.5F);
      rows.indptr.push_back(static_cast<std::int64_t>(rows.indices.size()));
      rows.labels.push_back(static_cast<std::int32_t>(cell % 3));
      ++rows.rows;
    }
    return end - begin;
  }

 private:
  std::vector<data::ChunkInfo> index_;
  data::Vocabulary vocabulary_;
};

struct Case {
  std::vector<std::int64_t> rows;
  std::int64_t global_batch, block_cells, micro_shards;
  std::string order;
};

std::vector<Case> cases() {
  const std::vector<std::vector<std::int64_t>> shapes = {
      {7, 1, 0, 13, 0, 31, 1}, {0, 0, 53}, {1}, {1, 1, 1}, {2, 0, 1}, {97, 0}, {5, 5, 5, 5}};
  std::vector<Case> all;
  for (const auto& rows : shapes)
    for (const std::int64_t global_batch : {1, 3, 8, 64})
      for (const std::int64_t micro_shards : {0, 4, 7})
        for (const auto* order : {"mixed", "chunk"})
          if (global_batch > 1 || rows.size() < 5)
            all.push_back({rows, global_batch, 4, micro_shards, order});
  return all;
}

data::Loader loader(const Uneven& source, const Case& c, data::Shard shard) {
  return {source,
          nullptr,
          {.global_batch = c.global_batch, .seed = 5},
          {.threads = 1, .block_cells = c.block_cells, .buffer_cells = 16, .order = c.order},
          shard};
}

/// The cells of all ranks, sorted.
std::vector<std::int64_t> joined(const data::Batch& batch, std::int64_t most) {
  auto mine = at::full({most}, -1, at::kLong);
  mine.narrow(0, 0, batch.size()).copy_(batch.cells);
  const auto all = std::get<0>(test_world().host_world->all_gather(mine).sort());
  std::vector<std::int64_t> cells;
  for (std::int64_t k = 0; k < all.numel(); ++k)
    if (all[k].item<std::int64_t>() >= 0) cells.push_back(all[k].item<std::int64_t>());
  return cells;
}

}  // namespace

CATCH_TEST_CASE("every cell comes once an epoch, in as many steps on every rank", "[uneven]") {
  const auto& world = test_world();
  for (const Case& c : cases()) {
    CATCH_CAPTURE(c.rows, c.global_batch, c.micro_shards, c.order);
    const Uneven source(c.rows);
    auto own = loader(source, c, {world.rank, world.size, c.micro_shards}),
         whole = loader(source, c, {});
    for (int epoch = 0; epoch < 2; ++epoch) {
      std::vector<std::int64_t> seen;
      while (const auto expected = whole.next()) {
        const auto batch = own.next();
        CATCH_REQUIRE(batch);
        CATCH_REQUIRE(batch->global_cells == expected->size());
        const auto cells = joined(*batch, c.global_batch);
        auto wanted = std::get<0>(expected->cells.sort());
        CATCH_REQUIRE(at::equal(at::tensor(cells, at::kLong), wanted));
        seen.insert(seen.end(), cells.begin(), cells.end());
      }
      CATCH_REQUIRE_FALSE(own.next());
      std::sort(seen.begin(), seen.end());
      CATCH_REQUIRE(static_cast<std::int64_t>(seen.size()) == source.cells());
      for (std::size_t k = 0; k < seen.size(); ++k)
        CATCH_REQUIRE(seen[k] == static_cast<std::int64_t>(k));
    }
  }
}

CATCH_TEST_CASE("ranks with few cells, or none, learn what one rank does", "[uneven]") {
  auto& world = test_world();
  models::CycleAutoencoderOptions options;
  options.latent = 3;
  options.classifier_hidden = {4};
  options.loss.labels_over = "known";
  for (const Case& c : cases()) {
    if (c.global_batch == 1 || c.order == "chunk") continue;
    CATCH_CAPTURE(c.rows, c.global_batch, c.micro_shards);
    const Uneven source(c.rows);
    comm::SoloCommunicator solo;
    models::CycleAutoencoder one(options, source.vocabulary(), 2, at::kDouble),
        all(options, source.vocabulary(), 2, at::kDouble);
    train::Stepper alone(one, solo, 2, {}),
        together(all, *world.host_world, 2, {.passes = {.micro_shards = c.micro_shards}});
    auto own = loader(source, c, {world.rank, world.size, c.micro_shards}),
         whole = loader(source, c, {});
    while (const auto batch = whole.next()) {
      const auto expected = alone.step(*batch, 1, {});
      const auto got = together.step(*own.next(), 1, {});
      CATCH_REQUIRE(got.cells == expected.cells);
      for (const auto& [name, value] : expected.losses) {
        CATCH_INFO(name);
        CATCH_REQUIRE(std::abs(got.losses.at(name) - value) <= 1e-9 * std::abs(value));
      }
    }
  }
}
