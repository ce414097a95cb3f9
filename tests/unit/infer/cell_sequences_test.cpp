#include "infer/cell_sequences.h"

#include <catch2/catch.hpp>

#include "../expect.h"
#include "io/files.h"

namespace cellmill::infer {
namespace {

using Catch::Contains;
using Tokens = std::vector<std::int32_t>;

data::GeneDictionary three_genes() {
  data::GeneDictionary d;
  d.tokens = {"<pad>", "<mask>", "ENSG1", "ENSG2", "ENSG3"};
  d.medians = {0, 0, 1, 2, 4};
  d.names = {{"TWO", "ENSG2"}};
  return d;
}

struct Table {
  Scratch scratch;
  CellsOptions options;
  explicit Table(const std::string& text) {
    options.path = scratch / "cells.csv";
    options.orientation = "samples_by_genes";
    io::write_text_atomically(options.path, text);
  }
  CellSequences open() const { return {options, three_genes(), {}}; }
};

}  // namespace

CATCH_TEST_CASE("cells come as ranked tokens in the order of the file") {
  Table table(",ENSG1,two,ENSG3,other\nc0,1,4,4,9\nc1,0,0,0,9\nc2,3,2,0,0\nc3,0,0,8,0\n");
  table.options.threads = 2;
  auto cells = table.open();
  CATCH_CHECK(cells.cells() == 4);
  CATCH_CHECK(cells.names() == std::vector<std::string>{"c0", "c1", "c2", "c3"});
  const auto all = cells.read(0, 4).sequences;
  CATCH_CHECK(all.tokens == Tokens{3, 2, 4, 2, 3, 4});
  CATCH_CHECK(all.offsets == std::vector<std::int64_t>{0, 3, 3, 5, 6});
  const auto middle = cells.read(1, 3).sequences;
  CATCH_CHECK(middle.tokens == Tokens{2, 3});
  CATCH_CHECK(middle.offsets == std::vector<std::int64_t>{0, 0, 2});
  CATCH_CHECK(cells.read(2, 2).sequences.size() == 0);
}

CATCH_TEST_CASE("labels come with the cells") {
  Table table(",ENSG1,kind,ENSG3\nc0,1,a,4\nc1,0,b,0\nc2,3,a,0\n");
  table.options.columns = {"kind"};
  auto cells = table.open();
  CATCH_REQUIRE(cells.fields().size() == 1);
  CATCH_CHECK(cells.fields()[0].categories == std::vector<std::string>{"a", "b"});
  CATCH_CHECK(cells.read(0, 3).labels == Tokens{0, 1, 0});
  CATCH_CHECK(cells.read(1, 3).labels == Tokens{1, 0});
}

CATCH_TEST_CASE("values that are no counts are refused, unless it is said that they are") {
  Table table(",ENSG1,ENSG2,ENSG3\nc0,1,2,0\nc1,0,0.5,1\n");
  auto cells = table.open();
  CATCH_CHECK(cells.read(0, 1).sequences.size() == 1);
  CATCH_CHECK_THAT(error_of([&] { cells.read(0, 2); }),
                   Contains("65 ") && Contains("cell 1, gene ENSG2") && Contains("a count") &&
                       Contains("0.5") && Contains("--allow-fractions"));
  CATCH_CHECK_THAT(error_of([&] { cells.read(1, 2); }), Contains("cell 1, gene ENSG2"));
  table.options.fractions = true;
  CATCH_CHECK(table.open().read(1, 2).sequences.tokens == Tokens{3, 4});
}

CATCH_TEST_CASE("genes without a name, and none in common, are refused") {
  CATCH_CHECK_THAT(error_of([] { Table(",ENSG1,nan\nc0,1,2\n").open(); }),
                   Contains("65 ") && Contains("gene 1") && Contains("a gene has no name"));
  CATCH_CHECK_THAT(error_of([] { Table(",X1,X2\nc0,1,2\n").open(); }),
                   Contains("65 ") && Contains("cells.csv") &&
                       Contains("no column is a gene of the dictionary"));
}

}  // namespace cellmill::infer
