#include "serve/batcher.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>

#include "io/json.h"
#include "serve/answer.h"
#include "test_predictor.h"

namespace cellmill::serve {
namespace {

Profile profile(float count, std::uint64_t seed) { return {{{1}, {count}}, seed}; }

using Answer = std::pair<std::vector<Prediction>, std::exception_ptr>;

std::future<Answer> push(Batcher& batcher, Rows rows) {
  auto promise = std::make_shared<std::promise<Answer>>();
  batcher.push(std::move(rows),
               [promise](std::vector<Prediction> predictions, std::exception_ptr error) {
                 promise->set_value({std::move(predictions), error});
               });
  return promise->get_future();
}

}  // namespace

CATCH_TEST_CASE(
    "requests go through the model together, each gets its own rows, the same as alone") {
  TestPredictor model(6, false, 30);
  std::atomic<std::size_t> batches = 0, most = 0;
  Batcher batcher(model, {8, 5, 100}, [&](std::size_t rows, double) {
    ++batches;
    most = std::max<std::size_t>(most, rows);
  });
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 12; ++i)
    answers.push_back(
        push(batcher, std::vector<Profile>{profile(5.f + i, i), profile(9, 100 + i)}));
  for (int i = 0; i < 12; ++i) {
    const Answer answer = answers[i].get();
    CATCH_REQUIRE(answer.first.size() == 2);
    const auto alone = model.answer(Rows(std::vector<Profile>{profile(5.f + i, i)}));
    CATCH_CHECK(answer.first[0].latents == alone[0].latents);
    CATCH_CHECK(answer.first[0].probabilities == alone[0].probabilities);
  }
  CATCH_CHECK(batches < 12);
  CATCH_CHECK(most <= 8);
  CATCH_CHECK(batcher.waiting_rows() == 0);
}

CATCH_TEST_CASE("kinds of rows are not mixed, and a request over the batch's size goes alone") {
  TestPredictor model(6, false, 10);
  Batcher batcher(model, {2, 1, 100}, [](std::size_t, double) {});
  auto many = push(batcher, std::vector<Profile>(5, profile(3, 1)));
  auto wanted = push(batcher, std::vector<Wanted>(1));
  CATCH_CHECK(many.get().first.size() == 5);
  CATCH_CHECK(wanted.get().first[0].probabilities[0].empty());
}

CATCH_TEST_CASE("the queue has an end; room is given back") {
  TestPredictor model(6, false, 200);
  Batcher batcher(model, {1, 0, 4}, [](std::size_t, double) {});
  CATCH_CHECK(batcher.reserve(4));
  CATCH_CHECK(!batcher.reserve(1));
  batcher.release(2);
  CATCH_CHECK(batcher.reserve(2));
  CATCH_CHECK(!batcher.reserve(1));
}

CATCH_TEST_CASE(
    "an error is the answer of its batch alone; what had not begun at the stop is told so") {
  TestPredictor model(6, false, 50);
  Batcher batcher(model, {1, 0, 100}, [](std::size_t, double) {});
  Profile poison{{{0}, {TestPredictor::kPoison}}, 1};
  auto bad = push(batcher, std::vector<Profile>{poison});
  auto good = push(batcher, std::vector<Profile>{profile(1, 1)});
  CATCH_CHECK(bad.get().second);
  CATCH_CHECK(!good.get().second);
  auto first = push(batcher, std::vector<Profile>{profile(1, 1)});
  auto late = push(batcher, std::vector<Profile>{profile(1, 1)});
  batcher.close();
  CATCH_CHECK_THROWS_AS(std::rethrow_exception(late.get().second), Batcher::Stopped);
  CATCH_CHECK_THROWS_AS(
      std::rethrow_exception(push(batcher, std::vector<Profile>{profile(1, 1)}).get().second),
      Batcher::Stopped);
}

CATCH_TEST_CASE("an answer is JSON of the protocol's shape, its probabilities sum to 1") {
  TestPredictor model(6);
  const AnswerWriter writer(model.facts());
  const auto predictions = model.answer(Rows(std::vector<Profile>{profile(4, 1), profile(5, 2)}));
  const auto answer =
      io::Json::parse(*writer.head() + writer.tail(Task::kPredict, {}, predictions));
  CATCH_CHECK(answer["gene_order"].size() == 6);
  CATCH_CHECK(answer["model_version"] == "test-1");
  CATCH_REQUIRE(answer["outputs"].size() == 2);
  const auto& output = answer["outputs"][0];
  CATCH_CHECK(output["metadata"]["cell_type_ontology_id"] == "CL:0000236");
  CATCH_CHECK(!output["metadata"].contains("study"));
  CATCH_CHECK(output["decoder_sample"]["counts"].size() == 6);
  CATCH_CHECK(output["latents"]["technical"].size() == 4);
  for (const auto& [field, labels] : output["classifier_probs"].items()) {
    double sum = 0;
    for (const auto& [label, p] : labels.items()) sum += p.get<double>();
    CATCH_CHECK(sum == Approx(1));
  }
  auto broken = predictions;
  broken[0].latents[0][0] = std::nanf("");
  CATCH_CHECK_THROWS_WITH(writer.tail(Task::kPredict, {}, broken), Catch::Contains("not finite"));
}

}  // namespace cellmill::serve
