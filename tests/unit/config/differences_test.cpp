#include <catch2/catch.hpp>

#include "config/show.h"
#include "sample.h"

using namespace cellmill;

namespace {
std::vector<std::string> compare(const std::string& left, const std::string& right) {
  std::vector<std::string> lines;
  for (const auto& d : config::differences({"left.yaml", left}, {"right.yaml", right}))
    lines.push_back(d.key + ": " + d.left + " | " + d.right);
  return lines;
}
using Lines = std::vector<std::string>;
}  // namespace

CATCH_TEST_CASE("equal values do not differ, however they are spelled", "[differences]") {
  CATCH_CHECK(compare("a: 1.0\nb: {c: [x, 1e3]}\nd: \"npz\"\n",
                      "b:\n  c:\n    - \"x\"\n    - 1000\na: 1\nd: npz\n")
                  .empty());
  CATCH_CHECK(compare("", "").empty());
  CATCH_CHECK(compare("a: a b", "a: \"a b\"").empty());
}

CATCH_TEST_CASE("differences are told in order, with both values", "[differences]") {
  CATCH_CHECK(compare("a: 1\nb: {c: x, d: [1]}\n", "b: {c: z, d: [1, 2]}\ne: 5\n") ==
              Lines{"a: 1 | (absent)", "b.c: x | z", "b.d: [1] | [1, 2]", "e: (absent) | 5"});
}

CATCH_TEST_CASE("a text and what looks like it differ, and so do large seeds", "[differences]") {
  CATCH_CHECK(compare("a: 5", "a: \"5\"") == Lines{"a: 5 | \"5\""});
  CATCH_CHECK(compare("a: true", "a: \"true\"") == Lines{"a: true | \"true\""});
  CATCH_CHECK(compare("s: 18446744073709551615", "s: 18446744073709551614").size() == 1);
}

CATCH_TEST_CASE("what is not YAML names the text", "[differences]") {
  try {
    compare("a: 1", "a: [1");
    CATCH_FAIL("accepted");
  } catch (const UsageError& e) {
    CATCH_CHECK(e.code() == Exit::kConfig);
    CATCH_CHECK(e.text().starts_with("right.yaml:"));
  }
}

CATCH_TEST_CASE("one changed option is one difference of two dumps", "[differences]") {
  sample::Run left, right;
  right.train.rate = 0.5;
  CATCH_CHECK(compare(config::dump(left), config::dump(right)) == Lines{"train.rate: 0.001 | 0.5"});
}
