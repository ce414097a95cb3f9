#include "base/permutation.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

using namespace cellmill;
using random::Permutation;
using random::Use;

namespace {

std::vector<std::uint64_t> order(std::uint64_t size, std::uint64_t key) {
  const Permutation permutation(Use::kTest, size, key);
  std::vector<std::uint64_t> places;
  for (std::uint64_t i = 0; i < size; ++i) places.push_back(permutation(i));
  return places;
}

}  // namespace

CATCH_TEST_CASE("a keyed order holds every place once", "[permutation]") {
  for (const std::uint64_t size : {1, 2, 3, 4, 5, 15, 16, 17, 64, 65, 1000, 4097}) {
    CATCH_CAPTURE(size);
    std::vector<int> seen(size);
    for (const std::uint64_t place : order(size, 3)) ++seen.at(place);
    CATCH_CHECK(seen == std::vector<int>(size, 1));
  }
  const Permutation large(Use::kTest, (std::uint64_t{1} << 40) + 7, 1);
  for (std::uint64_t i = 0; i < 1000; ++i) CATCH_CHECK(large(i) < large.size());
}

CATCH_TEST_CASE("the order is a function of the key, and mixes", "[permutation]") {
  CATCH_CHECK(order(1000, 1) == order(1000, 1));
  CATCH_CHECK(order(1000, 1) != order(1000, 2));
  // places of neighbours are uncorrelated, and a first half spreads over both halves
  const auto places = order(10000, 5);
  double sum = 0;
  int low = 0;
  for (std::size_t i = 0; i + 1 < places.size(); ++i) {
    sum +=
        (static_cast<double>(places[i]) - 4999.5) * (static_cast<double>(places[i + 1]) - 4999.5);
    low += i < 5000 && places[i] < 5000;
  }
  CATCH_CHECK(std::abs(sum / 9999 / (1e8 / 12)) < 0.05);
  CATCH_CHECK(std::abs(low - 2500) < 150);
}
