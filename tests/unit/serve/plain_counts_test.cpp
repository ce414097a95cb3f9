#include "serve/plain_counts.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>

namespace cellmill::serve {
namespace {

using Read = const char* (*)(const char*, std::size_t, Counts&);
constexpr Read kReads[] = {read_plain_counts, read_plain_counts_portably};

// Characters of the list, 0: it is not plain.
std::size_t read(Read how, const std::string& text, std::size_t genes, Counts& out) {
  std::string body = std::string(kPlainBefore, '5') + text;
  body.reserve(body.size() + 1 + kPlainBehind);
  const char* begin = body.c_str() + kPlainBefore;
  const char* end = how(begin, genes, out);
  return end ? static_cast<std::size_t>(end - begin) : 0;
}

bool refused(const std::string& text, std::size_t genes) {
  Counts out;
  for (const Read how : kReads)
    if (read(how, text, genes, out)) return false;
  return true;
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
      for (const Read how : kReads) {
        Counts found;
        CATCH_REQUIRE(read(how, text + "]}", genes, found) == text.size() + 1);
        CATCH_CHECK(found.genes == expected.genes);
        CATCH_CHECK(found.values == expected.values);
      }
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

CATCH_TEST_CASE("both ways of reading agree on what is plain, whatever a character becomes") {
  std::mt19937 draw(6);
  constexpr std::string_view kCharacters = "0123456789,, ]][}.e-\"\0\xb2";
  int plain = 0;
  for (int round = 0; round < 20000; ++round) {
    const std::string separator = draw() % 2 ? "," : ", ";
    const std::size_t genes = 1 + draw() % 60;
    std::string text = "[";
    for (std::size_t gene = 0; gene < genes; ++gene)
      text += (gene ? separator : "") + std::to_string(draw() % 20'000'000 >> draw() % 25);
    text += "], \"metadata\": [1, 2, 3]}";
    for (int i = draw() % 3; i > 0; --i)
      text[draw() % text.size()] = kCharacters[draw() % kCharacters.size()];
    Counts found, expected;
    const std::size_t is = read(read_plain_counts, text, genes, found);
    CATCH_REQUIRE(is == read(read_plain_counts_portably, text, genes, expected));
    if (!is) continue;
    ++plain;
    CATCH_REQUIRE(found.genes == expected.genes);
    CATCH_REQUIRE(found.values == expected.values);
  }
  CATCH_CHECK(plain > 5000);
}

}  // namespace cellmill::serve
