#include "config/document.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/error.h"

using namespace cellmill;

CATCH_TEST_CASE("values know their kind and place", "[document]") {
  const auto root = config::parse_yaml("a: 1\nb:\n  - x\n  - 'y'\nc: {d: ~}\n");
  CATCH_REQUIRE(root.kind == config::Node::Kind::kMap);
  CATCH_REQUIRE(root.entries.size() == 3);
  const auto& list = root.entries[1].value;
  CATCH_REQUIRE(list.items.size() == 2);
  CATCH_CHECK(list.items[0].text == "x");
  CATCH_CHECK_FALSE(list.items[0].quoted);
  CATCH_CHECK(list.items[1].quoted);
  CATCH_CHECK(list.items[1].line == 4);
  CATCH_CHECK(list.items[1].column == 5);
  CATCH_CHECK(root.entries[2].value.entries[0].value.kind == config::Node::Kind::kNull);
}

CATCH_TEST_CASE("keys given twice are both kept", "[document]") {
  CATCH_CHECK(config::parse_yaml("a: 1\na: 2\n").entries.size() == 2);
}

CATCH_TEST_CASE("an anchor may be used, but not hold itself", "[document]") {
  const auto root = config::parse_yaml("a: &x [1, 2]\nb: *x\n");
  CATCH_CHECK(root.entries[1].value.items.size() == 2);
  CATCH_CHECK_THROWS_WITH(config::parse_yaml("a: &x [*x]\n"), "an anchor holds itself");
  std::string laughs = "a0: &a0 [1, 1]\n";
  for (int i = 1; i < 20; ++i) {
    const std::string before = "*a" + std::to_string(i - 1), name = "a" + std::to_string(i);
    laughs += name + ": &" + name + " [" + before + ", " + before + "]\n";
  }
  CATCH_CHECK_THROWS_WITH(config::parse_yaml(laughs), "aliases make this text too large");
  CATCH_CHECK_THROWS_WITH(config::parse_yaml(std::string(60, '[')),
                          "maps and lists are nested too deeply");
}

CATCH_TEST_CASE("what follows the document is refused", "[document]") {
  for (const char* text : {"a: 1\n---\nb: 2\n", "'a' b\n", "[a] b\n", "--- \n'q':x\n? c\n: [1]\n"})
    CATCH_CHECK_THROWS_AS(config::parse_yaml(text), config::SyntaxError);
}

CATCH_TEST_CASE("the caret stands under its column", "[document]") {
  CATCH_CHECK(config::excerpt("one\ntwo three\n", 2, 5) == "    two three\n        ^");
  CATCH_CHECK(config::excerpt("\tx: y", 1, 2) == "    \tx: y\n    \t^");
  CATCH_CHECK(config::excerpt("é: y", 1, 5) == "    é: y\n       ^");
  CATCH_CHECK(config::excerpt("one\n", 3, 1).empty());
  CATCH_CHECK(config::excerpt("one\n", 0, 1).empty());
}

CATCH_TEST_CASE("a file is read whole, or the error says why not", "[document]") {
  const auto path = std::filesystem::temp_directory_path() /
                    ("cellmill_document_" + std::to_string(getpid()) + ".yaml");
  std::ofstream(path) << "a: 1\n";
  CATCH_CHECK(config::load_text(path).text == "a: 1\n");
  CATCH_CHECK(config::load_text(path).name == path.string());
  std::filesystem::remove(path);
  try {
    config::load_text(path);
    CATCH_FAIL("accepted");
  } catch (const DataError& e) {
    CATCH_CHECK(e.code() == Exit::kNoInput);
    CATCH_CHECK(e.text() == path.string() +
                                ": cannot open: No such file or directory\n  hint: paths are "
                                "relative to the folder the program was started in");
  }
  try {
    config::load_text(std::filesystem::temp_directory_path());
    CATCH_FAIL("accepted");
  } catch (const DataError& e) {
    CATCH_CHECK(e.text().ends_with("cannot read; expected a text file; found a folder"));
  }
}
