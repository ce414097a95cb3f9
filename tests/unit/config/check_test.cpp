#include "config/check.h"

#include <catch2/catch.hpp>

using namespace cellmill;

CATCH_TEST_CASE("checks say what they expect and hold to it", "[check]") {
  struct Case {
    config::Check check;
    std::string expected;
    std::vector<double> good, bad;
  };
  const std::vector<Case> cases = {
      {config::at_least(1), "at least 1", {1, 2}, {0, -1}},
      {config::at_most(2.5), "at most 2.5", {2.5, -9}, {2.6}},
      {config::between(1, 3), "between 1 and 3", {1, 3}, {0.99, 3.01}},
      {config::positive(), "above 0", {1e-300}, {0, -1}},
      {config::not_negative(), "at least 0", {0}, {-1e-300}},
      {config::fraction(), "between 0 and 1", {0, 1}, {1.5}},
      {config::below_one(), "at least 0 and below 1", {0, 0.999}, {1, -0.1}},
      {config::multiple_of(8), "a multiple of 8", {0, 64}, {4}},
  };
  for (const Case& c : cases) {
    CATCH_CHECK(c.check.expected == c.expected);
    for (double x : c.good) CATCH_CHECK(c.check.number(x));
    for (double x : c.bad) CATCH_CHECK_FALSE(c.check.number(x));
  }
  const auto choice = config::one_of({"npz", "h5ad"});
  CATCH_CHECK(choice.expected == "one of npz, h5ad");
  CATCH_CHECK(choice.text("npz"));
  CATCH_CHECK_FALSE(choice.text("NPZ"));
  CATCH_CHECK_FALSE(config::not_empty().count(0));
}
