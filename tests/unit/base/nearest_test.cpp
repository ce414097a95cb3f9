#include "base/nearest.h"

#include <catch2/catch.hpp>

using namespace cellmill;

CATCH_TEST_CASE("edit distance counts insertions, deletions, replacements and swaps", "[nearest]") {
  CATCH_CHECK(edit_distance("", "abc") == 3);
  CATCH_CHECK(edit_distance("kitten", "sitting") == 3);
  CATCH_CHECK(edit_distance("stpes", "steps") == 1);
  CATCH_CHECK(edit_distance("same", "same") == 0);
}

CATCH_TEST_CASE("the nearest name is near, or none", "[nearest]") {
  const std::vector<std::string> known = {"prefetch_chunks", "threads", "order"};
  CATCH_CHECK(nearest("prefetch_chunk", known) == "prefetch_chunks");
  CATCH_CHECK(nearest("Thread", known) == "threads");
  CATCH_CHECK(nearest("pre", known) == "prefetch_chunks");
  CATCH_CHECK(nearest("pr", known).empty());
  CATCH_CHECK(nearest("banana", known).empty());
  CATCH_CHECK(nearest("", known).empty());
}

CATCH_TEST_CASE("the hint names the nearest, or what is known", "[nearest]") {
  CATCH_CHECK(did_you_mean("odrer", {"order"}) == "did you mean order?");
  CATCH_CHECK(did_you_mean("x", {"order", "threads"}) == "known: order, threads");
  CATCH_CHECK(did_you_mean("x", {}).empty());
  CATCH_CHECK(did_you_mean("x", std::vector<std::string>(11, "name")).ends_with(", name, ..."));
}
