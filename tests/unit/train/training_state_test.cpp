#include "train/training_state.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "comm/solo_communicator.h"
#include "models/cycle_autoencoder.h"
#include "train/cell_order.h"
#include "train/step.h"

using namespace cellmill;

namespace {

const data::Vocabulary kVocabulary{{{"type", {"a", "b"}}}, {"G1", "G2"}};

data::Batch cells(std::vector<std::int64_t> numbers, std::int64_t epoch, std::int64_t step) {
  data::Batch batch;
  batch.indptr = at::zeros({static_cast<std::int64_t>(numbers.size()) + 1}, at::kLong);
  batch.cells = at::tensor(numbers, at::kLong);
  batch.epoch = epoch;
  batch.step = step;
  return batch;
}

}  // namespace

CATCH_TEST_CASE("the digest of cells is that of a step's set, whoever has them", "[state]") {
  const auto whole = train::digest_of_cells(cells({3, 1, 7, 5}, 2, 4));
  CATCH_CHECK(train::digest_of_cells(cells({7, 1}, 2, 4)) +
                  train::digest_of_cells(cells({5, 3}, 2, 4)) ==
              whole);
  CATCH_CHECK(train::digest_of_cells(cells({3, 1, 7, 6}, 2, 4)) != whole);
  CATCH_CHECK(train::digest_of_cells(cells({3, 1, 7, 5}, 3, 4)) != whole);
  CATCH_CHECK(train::digest_of_cells(cells({3, 1, 7, 5}, 2, 5)) != whole);
  const auto order = [](std::uint64_t a, std::uint64_t b) {
    return train::digest_of_order(train::digest_of_order(0, a), b);
  };
  CATCH_CHECK(order(1, 2) != order(2, 1));
}

CATCH_TEST_CASE("the order of cells is kept, and stays unknown where it was not recorded",
                "[state]") {
  models::CycleAutoencoderOptions options;
  options.latent = 2;
  options.classifier_hidden = {3};
  models::CycleAutoencoder model(options, kVocabulary, 1, at::kFloat);
  comm::SoloCommunicator alone;
  train::Stepper stepper(model, alone, 1, {});
  train::TrainingState state;
  CATCH_CHECK(state.cell_order == 0U);
  state.cell_order = 0xfedcba9876543210U;
  auto saved = train::to_checkpoint(state, model, stepper.optimisers(), kVocabulary, "");
  const auto load = [&] {
    return train::from_checkpoint(saved, "memory", model, stepper.optimisers(), kVocabulary);
  };
  CATCH_CHECK(load().cell_order == 0xfedcba9876543210U);
  saved.numbers.erase("cell_order");  // as versions before it saved
  const auto loaded = load();
  CATCH_CHECK_FALSE(loaded.cell_order);
  CATCH_CHECK_FALSE(train::to_checkpoint(loaded, model, stepper.optimisers(), kVocabulary, "")
                        .numbers.contains("cell_order"));
}
