#include "config/scalar.h"

#include <catch2/catch.hpp>
#include <limits>

using namespace cellmill;

namespace {
template <class T>
bool reads(const std::string& text, T expected) {
  T value{};
  return config::parse(text, value) && value == expected;
}
template <class T>
bool refuses(const std::string& text) {
  T value{42};
  return !config::parse(text, value) && value == T{42};
}
}  // namespace

CATCH_TEST_CASE("whole numbers", "[scalar]") {
  CATCH_CHECK(
      reads<std::int64_t>("-9223372036854775808", std::numeric_limits<std::int64_t>::min()));
  CATCH_CHECK(reads<std::int64_t>("+7", 7));
  CATCH_CHECK(reads<std::int64_t>("1e6", 1000000));
  CATCH_CHECK(reads<std::int64_t>("2.0", 2));
  CATCH_CHECK(reads<std::uint64_t>("18446744073709551615", ~std::uint64_t{0}));
  for (const char* bad : {"", "x", "1x", "1 ", "0.5", "1e300", "0x10", "9223372036854775808"})
    CATCH_CHECK(refuses<std::int64_t>(bad));
  CATCH_CHECK(refuses<std::uint64_t>("-1"));
  CATCH_CHECK(refuses<std::uint64_t>("-1e3"));
}

CATCH_TEST_CASE("numbers", "[scalar]") {
  CATCH_CHECK(reads<double>("1e-8", 1e-8));
  CATCH_CHECK(reads<double>(".5", 0.5));
  CATCH_CHECK(reads<double>("-.inf", -std::numeric_limits<double>::infinity()));
  for (const char* bad : {"", "inf", "nan", ".nan", "1,5", "1e", "--1"})
    CATCH_CHECK(refuses<double>(bad));
}

CATCH_TEST_CASE("texts are quoted when they look like something else", "[scalar]") {
  CATCH_CHECK(config::format("runs/a-b_1.yaml") == "runs/a-b_1.yaml");
  for (const char* text : {"", "true", "No", "null", "1a", ".x", "-", "a b", "a:b", "#a", "[a]"})
    CATCH_CHECK(config::format(text) == "\"" + std::string(text) + "\"");
  CATCH_CHECK(config::format("a\"\\\n\x02") == R"("a\"\\\n\x02")");
}

CATCH_TEST_CASE("reals are short and exact", "[scalar]") {
  CATCH_CHECK(config::format(1.0) == "1");
  CATCH_CHECK(config::format(0.1) == "0.1");
  CATCH_CHECK(config::format(1e-8) == "1e-08");
  CATCH_CHECK(config::format(-std::numeric_limits<double>::infinity()) == "-.inf");
}
