#include "base/error.h"

#include <catch2/catch.hpp>

using namespace cellmill;

CATCH_TEST_CASE("a data error says file, place, what, expected and found", "[error]") {
  const DataError full({"a.npz", "row 3", "5 columns", "6"}, "wrong width", "run it again");
  CATCH_CHECK(full.text() ==
              "a.npz: row 3: wrong width; expected 5 columns; found 6\n  hint: run it again");
  CATCH_CHECK(full.code() == Exit::kData);
  CATCH_CHECK(DataError({"a.npz", "", "", ""}, "not there", "", Exit::kNoInput).text() ==
              "a.npz: not there");
  CATCH_CHECK(DataError({"", "", "", ""}, "odd").text() == "odd");
}

CATCH_TEST_CASE("each kind of error has its exit code", "[error]") {
  CATCH_CHECK(UsageError("x").code() == Exit::kUsage);
  CATCH_CHECK(UsageError("x", "", Exit::kConfig).code() == Exit::kConfig);
  CATCH_CHECK(InternalError("x").code() == Exit::kInternal);
  CATCH_CHECK(InternalError("x").text() ==
              "x\n  hint: this is a bug in cellmill: please report it");
}
