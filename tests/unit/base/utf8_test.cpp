#include "base/utf8.h"

#include <catch2/catch.hpp>

using cellmill::utf8_ends_at;

CATCH_TEST_CASE("what is UTF-8 is known from what is not, and where", "[utf8]") {
  constexpr auto kWhole = std::string_view::npos;
  for (const char* text : {"", "plain", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa8 b"})
    CATCH_CHECK(utf8_ends_at(text) == kWhole);
  CATCH_CHECK(utf8_ends_at(std::string_view("a\0b", 3)) == kWhole);
  for (const char* text : {"ab\x80", "ab\xc3", "ab\xc3z", "ab\xc0\xaf", "ab\xc1\xbf",
                           "ab\xe0\x9f\xbf", "ab\xed\xa0\x80", "ab\xe2\x82", "ab\xf0\x8f\xbf\xbf",
                           "ab\xf4\x90\x80\x80", "ab\xf5\x80\x80\x80", "ab\xff"})
    CATCH_CHECK(utf8_ends_at(text) == 2);
}
