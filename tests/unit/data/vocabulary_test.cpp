#include <catch2/catch.hpp>

#include "base/error.h"
#include "data/chunk.h"
#include "data/chunk_source.h"

using namespace cellmill;
using namespace cellmill::data;

namespace {
const Vocabulary kExpected = {{{"sex", {"F", "M"}}, {"tissue", {"liver", "lung"}}}, {"A", "B"}};
std::string difference(const std::function<void(Vocabulary&)>& change) {
  Vocabulary found = kExpected;
  change(found);
  try {
    check_vocabulary(kExpected, found, "cells.h5ad");
  } catch (const DataError& error) {
    CATCH_CHECK(error.code() == Exit::kData);
    return error.what();
  }
  return "accepted";
}
}  // namespace

CATCH_TEST_CASE("the first difference of two vocabularies is named", "[vocabulary]") {
  CATCH_CHECK(difference([](Vocabulary&) {}) == "accepted");
  CATCH_CHECK(difference([](Vocabulary& v) { v.genes[1] = "C"; }) ==
              "cells.h5ad: gene 1: another vocabulary (2 and 2 names); expected 'B'; found 'C'");
  CATCH_CHECK(difference([](Vocabulary& v) { v.genes.push_back("C"); }) ==
              "cells.h5ad: gene 2: another vocabulary (2 and 3 names); expected none; found 'C'");
  CATCH_CHECK(difference([](Vocabulary& v) { v.fields.pop_back(); }) ==
              "cells.h5ad: field 1: another vocabulary (2 and 1 names); expected 'tissue'; found "
              "none");
  CATCH_CHECK(difference([](Vocabulary& v) { v.fields[1].categories[0] = "kidney"; }) ==
              "cells.h5ad: field 'tissue', category 0: another vocabulary (2 and 2 names); "
              "expected 'liver'; found 'kidney'");
}

CATCH_TEST_CASE("a source that cannot be opened says why", "[source]") {
  SourceOptions options;
  CATCH_CHECK_THROWS_WITH(open_source(options), "no data: `path` is empty");
  options.path = "/no/such/folder";
  try {
    open_source(options);
    CATCH_FAIL("opened");
  } catch (const DataError& error) {
    CATCH_CHECK(error.code() == Exit::kNoInput);
    CATCH_CHECK(std::string(error.what()) == "/no/such/folder: no such file or folder");
  }
  options.format = "syntetic";
  try {
    open_source(options);
    CATCH_FAIL("opened");
  } catch (const UsageError& error) {
    CATCH_CHECK_THAT(error.what(), Catch::StartsWith("unknown data format 'syntetic'"));
    CATCH_CHECK(error.hint() == "did you mean synthetic?");
  }
}
