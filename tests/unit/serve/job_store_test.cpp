#include "serve/job_store.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <future>

#include "base/error.h"

namespace cellmill::serve {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("cellmill_jobs_" + std::to_string(getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  fs::path file() const { return path / "jobs.sqlite"; }
};

// Waits for the callback of `ask(callback)`.
template <class Value, class Ask>
Value answer(const Ask& ask) {
  std::promise<Value> promise;
  ask([&](Value value) { promise.set_value(std::move(value)); });
  return promise.get_future().get();
}

void accept(JobStore& store, const StoredJob& job) {
  CATCH_REQUIRE(!answer<std::exception_ptr>([&](auto done) { store.accept(job, done); }));
}

std::optional<JobView> find(JobStore& store, const std::string& id) {
  return answer<std::optional<JobView>>([&](auto done) { store.find(id, done); });
}

std::shared_ptr<const std::string> head(const char* text) {
  return std::make_shared<const std::string>(text);
}

}  // namespace

CATCH_TEST_CASE("a job waits, is ready by its link, or has failed with its reason") {
  const Folder folder;
  JobStore store(folder.file(), 3600);
  accept(store, {"a", "link-a", "m", "{}"});
  accept(store, {"b", "link-b", "m", "{}"});
  CATCH_CHECK(find(store, "a")->state == JobState::kWaiting);
  CATCH_CHECK(!find(store, "link-a"));
  answer<std::exception_ptr>([&](auto done) { store.finish("a", head("HEAD"), "tail", done); });
  answer<std::exception_ptr>([&](auto done) { store.fail("b", "no luck", done); });
  CATCH_CHECK(find(store, "a")->link == "link-a");
  CATCH_CHECK(find(store, "b")->message == "no luck");
  const auto fetch = [&](const char* link) {
    return answer<std::optional<JobResult>>([&](auto done) { store.fetch(link, done); });
  };
  CATCH_CHECK(*fetch("link-a")->head + *fetch("link-a")->tail == "HEADtail");
  CATCH_CHECK(!fetch("link-b"));
  CATCH_CHECK(!fetch("a"));
}

CATCH_TEST_CASE(
    "after a restart finished jobs are there and unfinished ones come back, oldest first") {
  const Folder folder;
  {
    JobStore store(folder.file(), 3600);
    for (const char* id : {"a", "b", "c"})
      accept(store, {id, std::string("link-") + id, "m", std::string("body of ") + id});
    answer<std::exception_ptr>([&](auto done) { store.finish("b", head("HEAD"), "tail", done); });
  }
  JobStore store(folder.file(), 3600);
  const auto unfinished = store.take_unfinished();
  CATCH_REQUIRE(unfinished.size() == 2);
  CATCH_CHECK(unfinished[0].id == "a");
  CATCH_CHECK(unfinished[1].body == "body of c");
  const auto result =
      answer<std::optional<JobResult>>([&](auto done) { store.fetch("link-b", done); });
  CATCH_CHECK(*result->head + *result->tail == "HEADtail");
}

CATCH_TEST_CASE("what is finished goes after its time, what waits stays") {
  const Folder folder;
  JobStore store(folder.file(), 0);
  accept(store, {"a", "link-a", "m", "{}"});
  accept(store, {"b", "link-b", "m", "{}"});
  answer<std::exception_ptr>([&](auto done) { store.finish("a", head("HEAD"), "tail", done); });
  for (int i = 0; i < 100 && find(store, "a"); ++i) usleep(100'000);
  CATCH_CHECK(!find(store, "a"));
  CATCH_CHECK(find(store, "b")->state == JobState::kWaiting);
}

CATCH_TEST_CASE("one server a folder, and no file that is something else") {
  const Folder folder;
  {
    JobStore store(folder.file(), 3600);
    CATCH_CHECK_THROWS_WITH(JobStore(folder.file(), 3600), Catch::Contains("database is locked"));
  }
  std::ofstream(folder.path / "other") << std::string(5000, 'x');
  try {
    JobStore store(folder.path / "other", 3600);
    CATCH_FAIL("taken for jobs");
  } catch (const DataError& error) {
    CATCH_CHECK(error.code() == Exit::kData);
    CATCH_CHECK_THAT(error.text(),
                     Catch::Contains("file is not a database") && Catch::Contains("move it away"));
  }
}

}  // namespace cellmill::serve
