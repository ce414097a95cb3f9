#include "data/expression.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "base/log.h"

using namespace cellmill;
using namespace cellmill::data;

namespace {

Chunk two_rows() {
  Chunk chunk{.rows = 2, .genes = 10};
  chunk.indptr = {0, 2, 5};
  chunk.indices = {1, 4, 0, 3, 9};
  chunk.values = {1, 3, 0.5, 0, 2};
  return chunk;
}

std::string refusal(const std::function<void(Chunk&)>& spoil) {
  Chunk chunk = two_rows();
  spoil(chunk);
  try {
    Expression(false).prepare(chunk, "cells.npz", 100);
  } catch (const DataError& error) {
    CATCH_CHECK(error.code() == Exit::kData);
    return error.what();
  }
  return "accepted";
}

}  // namespace

CATCH_TEST_CASE("good rows pass untouched", "[expression]") {
  Chunk chunk = two_rows();
  Expression(false).prepare(chunk, "f");
  CATCH_CHECK(chunk.indices == two_rows().indices);
  CATCH_CHECK(chunk.values == two_rows().values);
}

CATCH_TEST_CASE("what cannot be expression is refused, with file, row and column", "[expression]") {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  CATCH_CHECK(refusal([&](Chunk& c) { c.values[1] = nan; }) ==
              "cells.npz: row 100, column 4: not a number; expected a finite value of at least 0; "
              "found nan");
  CATCH_CHECK(refusal([&](Chunk& c) { c.values[4] = infinity; }) ==
              "cells.npz: row 101, column 9: infinite; expected a finite value of at least 0; "
              "found inf");
  CATCH_CHECK(refusal([&](Chunk& c) { c.values[0] = -0.5; }) ==
              "cells.npz: row 100, column 1: a negative value; expected a finite value of at least "
              "0; found -0.5");
  CATCH_CHECK(refusal([&](Chunk& c) { c.indices[4] = 10; }) ==
              "cells.npz: row 101: a column that does not exist; expected 0 to 9; found 10");
  CATCH_CHECK(refusal([&](Chunk& c) { c.indices[2] = -1; }) ==
              "cells.npz: row 101: a column that does not exist; expected 0 to 9; found -1");
  CATCH_CHECK(refusal([&](Chunk& c) { c.indptr[1] = 6; }) ==
              "cells.npz: row 101: indptr falls; expected at least 6; found 5");
  CATCH_CHECK(refusal([&](Chunk& c) { c.indptr[0] = 1; }) ==
              "cells.npz: indptr: the first entry is not 0; expected 0; found 1");
  CATCH_CHECK(refusal([&](Chunk& c) { c.indptr.pop_back(); }) ==
              "cells.npz: indptr: one entry a row and one more; expected 3 entries; found 2");
  CATCH_CHECK(refusal([&](Chunk& c) { c.indices.pop_back(); }) ==
              "cells.npz: indices: another length than indptr's last entry; expected 5; found 4");
  CATCH_CHECK(refusal([&](Chunk& c) { c.indices[3] = 9; }) ==
              "cells.npz: row 101, column 9: the column is given twice in its row; expected once; "
              "found twice");
}

CATCH_TEST_CASE("columns of a row are brought into order", "[expression]") {
  Chunk chunk = two_rows();
  chunk.indices = {4, 1, 9, 0, 3};
  Expression(false).prepare(chunk, "f");
  CATCH_CHECK(chunk.indices == UnsetVector<std::int32_t>{1, 4, 0, 3, 9});
  CATCH_CHECK(chunk.values == UnsetVector<float>{3, 1, 0, 2, 0.5});
}

CATCH_TEST_CASE("counts become log1p of counts per 10,000; empty rows stay zero", "[expression]") {
  Chunk chunk{.rows = 3, .genes = 5};
  chunk.indptr = {0, 2, 2, 3};
  chunk.indices = {0, 2, 4};
  chunk.values = {1, 3, 0};
  Expression(true).prepare(chunk, "f");
  CATCH_CHECK(chunk.values[0] == Approx(std::log1p(2500.0)).epsilon(1e-6));
  CATCH_CHECK(chunk.values[1] == Approx(std::log1p(7500.0)).epsilon(1e-6));
  CATCH_CHECK(chunk.values[2] == 0);
}

CATCH_TEST_CASE("counts as small as a float can be stay finite", "[expression]") {
  constexpr float kLeast = std::numeric_limits<float>::denorm_min();
  Chunk chunk{.rows = 1, .genes = 5};
  chunk.indptr = {0, 2};
  chunk.indices = {0, 2};
  chunk.values = {kLeast, 3 * kLeast};
  Expression(true).prepare(chunk, "f");
  CATCH_CHECK(chunk.values[0] == Approx(std::log1p(2500.0)).epsilon(1e-6));
  CATCH_CHECK(chunk.values[1] == Approx(std::log1p(7500.0)).epsilon(1e-6));
}

CATCH_TEST_CASE("a doubtful scale is said once", "[expression]") {
  const auto path = std::filesystem::temp_directory_path() / "cellmill_expression_test.log";
  std::filesystem::remove(path);
  log::also_to(path);
  Chunk counts{.rows = 1, .genes = 3};
  counts.indptr = {0, 2};
  counts.indices = {0, 1};
  counts.values = {31, 2};
  const Expression as_is(false), normalising(true);
  for (int i = 0; i < 3; ++i) as_is.prepare(counts, "counts.npz");
  Chunk logs = counts;
  logs.values = {0.5, 2};
  as_is.prepare(logs, "logs.npz");
  for (int i = 0; i < 3; ++i) {
    logs.values = {0.5, 2};
    normalising.prepare(logs, "logs.npz");
  }
  const Expression for_counts(false, {}, /*takes_counts=*/true);
  for_counts.prepare(counts, "counts of a model.npz");
  for (int i = 0; i < 2; ++i) {
    logs.values = {0.5, 2};
    for_counts.prepare(logs, "logs as counts.npz");
  }
  log::flush();
  std::ifstream file(path);
  std::string line, text;
  int lines = 0;
  while (std::getline(file, line)) {
    text += line + "\n";
    lines += line.find(".npz: ") != std::string::npos;  // other cases' lines are there, too
  }
  std::filesystem::remove(path);
  CATCH_CHECK(lines == 3);
  CATCH_CHECK_THAT(text,
                   Catch::Contains("logs as counts.npz: the values look log-normalised "
                                   "(fractions, the largest is 2), but this model takes counts"));
  CATCH_CHECK_THAT(text, Catch::Contains("counts.npz: the values look like counts (all integers, "
                                         "the largest is 31)"));
  CATCH_CHECK_THAT(text, Catch::Contains("set raw_counts: true"));
  CATCH_CHECK_THAT(text, Catch::Contains("logs.npz: raw_counts is true, but the values look "
                                         "log-normalised"));
}
