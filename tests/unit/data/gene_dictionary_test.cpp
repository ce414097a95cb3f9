#include "data/gene_dictionary.h"

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace cellmill;
using namespace cellmill::data;

namespace {

const std::string kText = R"({
  "tokens": {"<pad>": 0, "<mask>": 1, "<cls>": 4, "<eos>": 5, "ENSG00000000003": 2, "ENSG00000141510": 3},
  "medians": {"ENSG00000000003": 2.00119, "ENSG00000141510": 1.8964},
  "names": {"TSPAN6": "ENSG00000000003", "tp53": "ENSG00000141510", "ENSG00000999999": "ENSG00000141510",
            "OTHER": "ENSG00000777777"}})";

std::string with(const std::string& from, const std::string& to) {
  std::string text = kText;
  const auto at = text.find(from);
  CATCH_REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string refusal(const std::string& text) {
  try {
    parse_gene_dictionary(text, "genes.json");
  } catch (const DataError& error) {
    CATCH_CHECK(error.code() == Exit::kData);
    CATCH_CHECK(error.hint() == "tools/gene_dictionary makes one of Geneformer's files");
    return error.what();
  }
  return "accepted";
}

}  // namespace

CATCH_TEST_CASE("a dictionary is read, written and read again", "[gene_dictionary]") {
  const GeneDictionary d = parse_gene_dictionary(kText, "genes.json");
  CATCH_CHECK(d.tokens == std::vector<std::string>{"<pad>", "<mask>", "ENSG00000000003",
                                                   "ENSG00000141510", "<cls>", "<eos>"});
  CATCH_CHECK(d.medians == std::vector<double>{0, 0, 2.00119, 1.8964, 0, 0});
  CATCH_CHECK(std::tuple(d.pad, d.mask, d.cls, d.eos) == std::tuple(0, 1, 4, 5));
  CATCH_CHECK(d.names.at("TP53") == "ENSG00000141510");
  CATCH_CHECK(!d.is_gene(1));
  CATCH_CHECK(d.is_gene(3));
  CATCH_CHECK(parse_gene_dictionary(text_of(d), "again") == d);
}

CATCH_TEST_CASE("numbers without a token are kept free, V1 has no cls", "[gene_dictionary]") {
  const auto d = parse_gene_dictionary(
      R"({"tokens": {"<pad>": 0, "<mask>": 1, "G": 5}, "medians": {"G": 1}})", "f");
  CATCH_CHECK(d.size() == 6);
  CATCH_CHECK(d.tokens[3].empty());
  CATCH_CHECK(std::tuple(d.cls, d.eos) == std::tuple(-1, -1));
  CATCH_CHECK(parse_gene_dictionary(text_of(d), "again") == d);
}

CATCH_TEST_CASE("genes are found by id, version, name and older id", "[gene_dictionary]") {
  const GeneFinder finder(parse_gene_dictionary(kText, "genes.json"));
  for (const char* name : {"ENSG00000141510", "ensg00000141510.17", "TP53", "Tp53",
                           "ENSG00000999999", "ENSG00000999999.2"})
    CATCH_CHECK(finder.find(name) == 3);
  for (const char* name : {"", "TP", "<cls>", "<pad>", "TP53.1", "OTHER", "ENSG00000777777", "."})
    CATCH_CHECK(!finder.find(name));
}

CATCH_TEST_CASE("an id that a name leads on from follows the name", "[gene_dictionary]") {
  const GeneFinder finder(parse_gene_dictionary(with("TSPAN6", "ENSG00000141510"), "genes.json"));
  CATCH_CHECK(finder.find("ENSG00000141510") == 2);
}

CATCH_TEST_CASE("what is no dictionary is refused with its place", "[gene_dictionary]") {
  CATCH_CHECK(refusal(kText) == "accepted");
  CATCH_CHECK(refusal("{").starts_with("genes.json: not JSON; found "));
  CATCH_CHECK(refusal("[]") ==
              "genes.json: \"tokens\": no gene dictionary; expected an object; found none");
  CATCH_CHECK(refusal(R"({"tokens": 1})") ==
              "genes.json: \"tokens\": no gene dictionary; "
              "expected an object; found another type");
  CATCH_CHECK(refusal(with("\"<mask>\": 1, ", "")) ==
              "genes.json: tokens: no special token; expected <mask>; found none");
  CATCH_CHECK(refusal(with("510\": 3", "510\": 2")) ==
              "genes.json: tokens, \"ENSG00000141510\": two tokens of one number; expected "
              "distinct numbers; found 2, which \"ENSG00000000003\" has");
  for (const char* number : {"-1", "1048576", "2.5", "\"3\"", "null", "18446744073709551615"})
    CATCH_CHECK(refusal(with("510\": 3", std::string("510\": ") + number)) ==
                std::string("genes.json: tokens, \"ENSG00000141510\": not the number of a token; "
                            "expected 0 to 1048575; found ") +
                    number);
  CATCH_CHECK(refusal(with(", \"ENSG00000141510\": 1.8964", "")) ==
              "genes.json: tokens, \"ENSG00000141510\": a gene without a median; expected one of "
              "\"medians\"; found none");
  CATCH_CHECK(refusal(with("\"ENSG00000141510\": 3", "\"ENSG3\": 3")) ==
              "genes.json: medians, \"ENSG00000141510\": a gene without a token; expected one; "
              "found none");
  for (const char* median : {"0", "-1.5", "\"1\"", "[]"})
    CATCH_CHECK(refusal(with("1.8964", median)) ==
                std::string("genes.json: medians, \"ENSG00000141510\": not a median; expected a "
                            "number above 0; found ") +
                    median);
  CATCH_CHECK(refusal(with("\"tp53\"", "\"Tspan6\"")) ==
              "genes.json: names, \"Tspan6\": a name of two genes, whatever its case; expected "
              "ENSG00000000003; found ENSG00000141510");
  CATCH_CHECK(refusal(with("\"ENSG00000000003\",", "7,")) ==
              "genes.json: names, \"TSPAN6\": not a gene; expected its id; found 7");
  CATCH_CHECK(refusal(R"({"tokens": {"<pad>": 0, "<mask>": 1}, "medians": {}})") ==
              "genes.json: medians: a dictionary without genes; expected genes; found none");
}
