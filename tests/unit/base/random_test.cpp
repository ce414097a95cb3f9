#include "base/random.h"

#include <catch2/catch.hpp>
#include <numeric>

using namespace cellmill;

CATCH_TEST_CASE("a draw is a pure function of its key", "[random]") {
  CATCH_CHECK(random::bits(random::Use::kTarget, {1, 2, 3}) ==
              random::bits(random::Use::kTarget, {1, 2, 3}));
  CATCH_CHECK(random::bits(random::Use::kTarget, {1, 2, 3}) !=
              random::bits(random::Use::kTarget, {1, 3, 2}));
  CATCH_CHECK(random::bits(random::Use::kTarget, {1, 2, 3}) !=
              random::bits(random::Use::kKeep, {1, 2, 3}));
}

CATCH_TEST_CASE("below is uniform over its range", "[random]") {
  std::vector<int> seen(7);
  for (std::uint64_t i = 0; i < 70000; ++i)
    ++seen[random::below(random::bits(random::Use::kTest, {i}), 7)];
  for (int n : seen) CATCH_CHECK(std::abs(n - 10000) < 500);  // five standard deviations
}

CATCH_TEST_CASE("shuffle permutes", "[random]") {
  std::vector<int> items(1000);
  std::iota(items.begin(), items.end(), 0);
  auto shuffled = items;
  random::shuffle(shuffled, random::Use::kTest, 5);
  CATCH_CHECK(shuffled != items);
  std::sort(shuffled.begin(), shuffled.end());
  CATCH_CHECK(shuffled == items);
}
