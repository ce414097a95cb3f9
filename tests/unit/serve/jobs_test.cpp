#include "serve/jobs.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <future>

#include "test_predictor.h"

namespace cellmill::serve {
namespace {

namespace fs = std::filesystem;

/// Counts the samples that it is asked.
class Counting final : public Predictor {
 public:
  Counting(std::atomic<std::size_t>& asked, double milliseconds)
      : model_(4, false, milliseconds), asked_(asked) {}
  const ModelFacts& facts() const override { return model_.facts(); }
  std::vector<Prediction> answer(const Rows& rows) override {
    asked_ += std::get<std::vector<Profile>>(rows).size();
    return model_.answer(rows);
  }

 private:
  TestPredictor model_;
  std::atomic<std::size_t>& asked_;
};

/// Jobs over a folder of their own, on a disk that can be full.
struct Bench {
  fs::path folder = fs::temp_directory_path() / ("cellmill_full_" + std::to_string(getpid()));
  std::atomic<std::size_t> asked = 0;
  Metrics metrics;
  ServedModels models;
  std::unique_ptr<JobStore> store;
  std::unique_ptr<Jobs> jobs;
  rlimit before = {};

  Bench(double milliseconds, double wait_ms) {
    fs::create_directories(folder);
    models.add("m", std::make_unique<Counting>(asked, milliseconds), {8, wait_ms, 100}, metrics);
    store = std::make_unique<JobStore>(folder / "jobs.sqlite", 3600);
    jobs = std::make_unique<Jobs>(*store, models, metrics, QueryLimits{});
    jobs->start([](std::function<void()> work) { work(); });
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
  }
  ~Bench() {
    fill(false);
    for (ServedModel& model : models.models()) model.batcher.close();
    store.reset();
    fs::remove_all(folder);
  }
  /// No file may grow.
  void fill(bool full) {
    const rlimit none = {1, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, full ? &none : &before);
  }
  std::optional<std::string> submit() {
    const Offer& offer = *models.find("m_predict-metadata");
    CATCH_REQUIRE(offer.model->batcher.reserve(1));
    std::promise<std::optional<std::string>> id;
    jobs->submit(offer, Query{std::vector<Profile>{{{{1}, {5.f}}, 1}}, {}},
                 R"({"inputs":[{"counts":[0,5,0,0]}]})", [&](auto given) { id.set_value(given); });
    return id.get_future().get();
  }
  JobView status(const std::string& id) {
    std::promise<std::optional<JobView>> view;
    jobs->status(id, 20, [&](auto given) { view.set_value(given); });
    return view.get_future().get().value();
  }
  std::size_t waiting() { return models.models().front().batcher.waiting_rows(); }
};

}  // namespace

CATCH_TEST_CASE("a job that the disk refuses is refused, and the model is not asked") {
  Bench bench(0, 200);
  bench.fill(true);
  for (int i = 0; i < 3; ++i) CATCH_CHECK(!bench.submit());
  while (bench.waiting() > 0) std::this_thread::yield();
  CATCH_CHECK(bench.asked == 0);
  CATCH_CHECK(bench.jobs->unfinished() == 0);
  bench.fill(false);
  for (int i = 0; i < 2; ++i) {
    const auto id = bench.submit();
    CATCH_REQUIRE(id);
    CATCH_CHECK(bench.status(*id).state == JobState::kReady);
  }
  CATCH_CHECK(bench.asked == 2);
}

CATCH_TEST_CASE("an answer that the disk refuses has failed, and is asked again after a restart") {
  Bench bench(200, 1);
  const auto id = bench.submit();
  CATCH_REQUIRE(id);
  bench.fill(true);
  for (int i = 0; i < 2; ++i) {
    const JobView view = bench.status(*id);
    CATCH_CHECK(view.state == JobState::kFailed);
    CATCH_CHECK(view.message == "the answer could not be stored");
  }
  bench.fill(false);
  bench.store.reset();
  bench.store = std::make_unique<JobStore>(bench.folder / "jobs.sqlite", 3600);
  const auto left = bench.store->take_unfinished();
  CATCH_REQUIRE(left.size() == 1);
  CATCH_CHECK(left[0].id == *id);
}

}  // namespace cellmill::serve
