#include "serve/plain_counts.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>

namespace cellmill::serve {
namespace {

bool read(std::string text, std::size_t genes, Counts& out) {
  text.reserve(text.size() + 16);
  return read_plain_counts(text.c_str(), genes, out);
}

bool refused(const std::string& text, std::size_t genes) {
  Counts out;
  return !read(text, genes, out);
}

}  // namespace

CATCH_TEST_CASE("plain counts are read as they are written, zeros left out") {
  std::mt19937 draw(5);
  for (const std::string separator : {",", ", "}) {
    for (const std::size_t genes : {1, 2, 7, 500}) {
      std::string text = "[";
      Counts expected;
      for (std::size_t gene = 0; gene < genes; ++gene) {
        const std::uint32_t count = gene == 0 ? 7 : draw() % 10'000'000 >> draw() % 24;
        if (gene) text += separator;
        text += std::to_string(count);
        if (!count) continue;
        expected.genes.push_back(static_cast<std::int32_t>(gene));
        expected.values.push_back(static_cast<float>(count));
      }
      Counts found;
      CATCH_REQUIRE(read(text + "]}", genes, found));
      CATCH_CHECK(found.genes == expected.genes);
      CATCH_CHECK(found.values == expected.values);
      CATCH_CHECK(refused(text + "]", genes + 1));
      CATCH_CHECK(refused(text + separator + "1]", genes));
      CATCH_CHECK(refused(text, genes));
    }
  }
}

CATCH_TEST_CASE("what is not plain is left to somebody else") {
  for (const char* text :
       {"[1,02]",   "[1,-2]",    "[1,2.0]", "[1,2e1]", "[1,]",     "[,1]",
        "[1 ,2]",   "[ 1,2]",    "[1,2 ]",  "[1,  2]", "[1, 2,3]", "[1,12345678]",
        "[1,null]", "[1,\"2\"]", "[1,[2]]", "[1;2]",   "1,2]",     "[0,0]",
        "[",        "",          "[1,2",    "[1,2}",   "[1,\xb2]"})
    CATCH_CHECK(refused(text, 2));
}

}  // namespace cellmill::serve
