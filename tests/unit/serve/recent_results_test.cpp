#include "serve/recent_results.h"

#include <catch2/catch.hpp>

namespace cellmill::serve {
namespace {

JobResult result(std::size_t bytes) {
  return {std::make_shared<const std::string>("head"),
          std::make_shared<const std::string>(bytes, 'x')};
}

}  // namespace

CATCH_TEST_CASE("results of a moment ago are there, the oldest go first") {
  RecentResults recent(10, 3600);
  recent.add("a", result(4));
  recent.add("b", result(6));
  CATCH_CHECK(recent.find("a")->tail->size() == 4);
  recent.add("c", result(1));
  CATCH_CHECK(!recent.find("a"));
  CATCH_CHECK(recent.find("b"));
  CATCH_CHECK(*recent.find("c")->head == "head");
  recent.add("d", result(11));
  CATCH_CHECK(!recent.find("d"));
  CATCH_CHECK(!recent.find("c"));
}

CATCH_TEST_CASE("none outlives what is on disk") {
  RecentResults recent(10, -1);
  recent.add("a", result(4));
  CATCH_CHECK(!recent.find("a"));
}

}  // namespace cellmill::serve
