#include "io/chart.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace cellmill;
using Catch::Contains;

CATCH_TEST_CASE("text in a picture is escaped, and stays UTF-8", "[svg]") {
  CATCH_CHECK(io::xml_text("a<b> & \"c\" é") == "a&lt;b&gt; &amp; &quot;c&quot; é");
  CATCH_CHECK(io::xml_text("\xff\x01") == "\xEF\xBF\xBD\xEF\xBF\xBD");
  io::Svg svg(100, 50);
  svg.box(0, 0, 10, 10, "#fff", "tip <1>");
  svg.text(1, 2, "x & y");
  const auto text = svg.element();
  CATCH_CHECK_THAT(text,
                   Catch::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\""));
  CATCH_CHECK_THAT(text, Contains("<title>tip &lt;1&gt;</title>") && Contains(">x &amp; y</text>"));
}

CATCH_TEST_CASE("charts of nothing say so, and what is not finite is left out", "[svg]") {
  CATCH_CHECK_THAT(io::line_chart("t", "x", {}).element(), Contains("nothing to show"));
  CATCH_CHECK_THAT(io::bar_chart("t", {}).element(), Contains("nothing to show"));
  CATCH_CHECK_THAT(io::histogram("t", "x", {}).element(), Contains("nothing to show"));
  CATCH_CHECK_THAT(io::heat_map("t", {}, {}).element(), Contains("nothing to show"));
  const auto chart = io::line_chart("t", "x", {{"a", {{0, 1}, {1, NAN}, {2, INFINITY}, {3, 2}}}});
  CATCH_CHECK_THAT(chart.element(), !Contains("nan") && !Contains("inf"));
  const auto map = io::heat_map("t", {"a", "b"}, {{1, NAN}, {NAN, 1}});
  CATCH_CHECK_THAT(map.element(), Contains("not counted") && !Contains("nan"));
}

CATCH_TEST_CASE("a line chart scales to its values", "[svg]") {
  const auto straight = io::line_chart("t", "step", {{"a", {{0, 0}, {10, 4}}}}).element();
  CATCH_CHECK_THAT(straight, Contains(">4</text>") && Contains(">10</text>"));
  const auto steep = io::line_chart("t", "step", {{"a", {{0, 1}, {10, 1000}}}}).element();
  CATCH_CHECK_THAT(steep, Contains(">1</text>") && Contains(">100</text>"));
  const auto flat = io::line_chart("t", "step", {{"a", {{5, 3}}}}).element();
  CATCH_CHECK_THAT(flat, !Contains("nan"));
}

CATCH_TEST_CASE("long names are cut at letters, not at bytes", "[svg]") {
  CATCH_CHECK(io::shortened("abc", 3) == "abc");
  CATCH_CHECK(io::shortened("äöüß", 3) == "äö…");
}
