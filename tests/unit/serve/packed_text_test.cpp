#include "serve/packed_text.h"

#include <catch2/catch.hpp>
#include <random>

#include "base/error.h"

namespace cellmill::serve {
namespace {

std::string list(std::mt19937& draw, std::size_t numbers, const std::string& separator) {
  std::string text = "[";
  for (std::size_t i = 0; i < numbers; ++i)
    text += (i ? separator : "") + std::to_string(draw() % 100000 >> draw() % 17);
  return text + "]";
}

}  // namespace

CATCH_TEST_CASE("any text comes back from its packed form") {
  std::mt19937 draw(3);
  std::string bytes;
  for (int i = 0; i < 700; ++i) bytes += static_cast<char>(draw());
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string(63, '1'), std::string(64, ','),
        std::string(65, ' '), std::string(1001, '9'), bytes, bytes + std::string(130, '7') + bytes,
        std::string("0123456789, ") + std::string(90, '0') + ",0.125,"})
    CATCH_CHECK(unpack_text(pack_text(text)) == text);
  for (int round = 0; round < 200; ++round) {
    std::string text = R"({"inputs":[{"counts":)";
    for (int i = draw() % 4; i > 0; --i) {
      text += list(draw, draw() % 400, draw() % 2 ? "," : ", ");
      text += R"(,"text":"a1, b 0.25",)";
    }
    CATCH_REQUIRE(unpack_text(pack_text(text)) == text);
  }
}

CATCH_TEST_CASE("long lists take half of their bytes") {
  std::mt19937 draw(4);
  const std::string text = R"({"counts":)" + list(draw, 5000, ", ") + "}";
  CATCH_CHECK(pack_text(text).size() < text.size() / 2 + 40);
  CATCH_CHECK(pack_text("{\"seed\": 7}").size() <= 11 + 2);
}

CATCH_TEST_CASE("a broken packed text is an error") {
  const std::string packed = pack_text("{" + std::string(200, '4') + "}");
  for (std::size_t size = 1; size + 3 < packed.size(); size += 7)
    CATCH_CHECK_THROWS_AS(unpack_text(packed.substr(0, size)), DataError);
  CATCH_CHECK_THROWS_AS(unpack_text(std::string(20, '\xff')), DataError);
}

}  // namespace cellmill::serve
