#include "data/split.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "base/error.h"

using namespace cellmill;
using namespace cellmill::data;

namespace {
const std::vector<ChunkInfo> kIndex = {{0, 600, 0, "a"}, {1, 400, 600, "b"}, {2, 9000, 1000, "c"}};
std::int64_t count(const CellFilter& filter) {
  return std::count(filter.begin(), filter.end(), true);
}
}  // namespace

CATCH_TEST_CASE("a fraction of cells is held out, each cell on one side", "[split]") {
  const Split split = make_split(kIndex, {.validation_fraction = 0.2, .seed = 3});
  CATCH_CHECK(std::abs(count(split.validation) - 2000) < 200);  // five standard deviations
  for (std::size_t c = 0; c < 10000; ++c) CATCH_REQUIRE(split.train[c] != split.validation[c]);
}

CATCH_TEST_CASE("a cell's side does not depend on how the cells are cut into chunks", "[split]") {
  const std::vector<ChunkInfo> whole = {{0, 10000, 0, "all"}};
  CATCH_CHECK(make_split(kIndex, {.seed = 3}).validation ==
              make_split(whole, {.seed = 3}).validation);
  CATCH_CHECK(make_split(kIndex, {.seed = 3}).validation !=
              make_split(whole, {.seed = 4}).validation);
}

CATCH_TEST_CASE("a larger fraction keeps the cells of a smaller one", "[split]") {
  const Split small = make_split(kIndex, {.validation_fraction = 0.1});
  const Split large = make_split(kIndex, {.validation_fraction = 0.3});
  for (std::size_t c = 0; c < 10000; ++c)
    CATCH_REQUIRE((!small.validation[c] || large.validation[c]));
}

CATCH_TEST_CASE("named chunks are held out whole", "[split]") {
  const Split split = make_split(kIndex, {.validation_chunks = {1}});
  CATCH_CHECK(count(split.validation) == 400);
  CATCH_CHECK((split.validation[600] && split.validation[999]));
  CATCH_CHECK((split.train[599] && split.train[1000]));
}

CATCH_TEST_CASE("a split that cannot be is refused", "[split]") {
  CATCH_CHECK_THROWS_WITH(make_split(kIndex, {.validation_chunks = {3}}),
                          "validation_chunks names chunk 3; the data have 3 chunks");
  CATCH_CHECK_THROWS_WITH(make_split(kIndex, {.validation_chunks = {0, 1, 2}}),
                          "the split leaves none of 10000 cells to train on");
  CATCH_CHECK_THROWS_WITH(make_split(kIndex, {.validation_fraction = 1.0}),
                          "validation_fraction is 1; expected at least 0 and below 1");
  try {
    make_split(kIndex, {.validation_chunks = {-1}});
    CATCH_FAIL("not refused");
  } catch (const UsageError& error) {
    CATCH_CHECK(error.code() == Exit::kConfig);
    CATCH_CHECK(error.hint() == "chunks are numbered from 0 to 2 in the order of their files");
  }
}
