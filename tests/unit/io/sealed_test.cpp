#include "io/sealed.h"

#include <catch2/catch.hpp>

#include "io/digest.h"

using namespace cellmill::io;

CATCH_TEST_CASE("a sealed object is JSON with its digest at the end", "[sealed]") {
  const std::string plain = R"({"step":8,"loss":0.5})";
  const std::string whole = sealed_json(plain);
  CATCH_CHECK(whole == R"({"step":8,"loss":0.5,"xxh3":")" + digest(plain) + "\"}");
  CATCH_CHECK(seal_of_json(whole) == Seal::kHolds);
  CATCH_CHECK(seal_of_json(plain) == Seal::kMissing);
  CATCH_CHECK(seal_of_json("") == Seal::kMissing);
}

CATCH_TEST_CASE("no changed bit and no cut of a sealed text holds", "[sealed]") {
  const std::string text = sealed_text("a: 1\nb: 2\n"), json = sealed_json(R"({"a":1})");
  CATCH_CHECK(seal_of_text(text) == Seal::kHolds);
  for (std::size_t i = 0; i < text.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = text;
      other[i] = static_cast<char>(other[i] ^ 1 << bit);
      CATCH_CHECK(seal_of_text(other) != Seal::kHolds);
    }
  for (std::size_t i = 0; i < json.size(); ++i) {
    CATCH_CHECK(seal_of_json(json.substr(0, i)) != Seal::kHolds);
    CATCH_CHECK(seal_of_json(json.substr(0, i) + "!" + json.substr(i + 1)) != Seal::kHolds);
  }
}
