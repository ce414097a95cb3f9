#include "infer/contexts.h"

#include <catch2/catch.hpp>

#include "../expect.h"

namespace cellmill::infer {
namespace {

using Catch::Contains;

const data::Vocabulary kModel{
    {{"cell_type", {"alpha", "beta", "delta"}}, {"perturbation", {"A", "A+B", "control", "C+D"}}},
    {"G1"}};

}  // namespace

CATCH_TEST_CASE("contexts are read by name") {
  const auto request = parse_contexts({"perturbation=A", "cell_type=beta"}, kModel);
  CATCH_CHECK(request.fields == std::vector<std::int64_t>{1, 0});
  CATCH_CHECK(request.values == std::vector<std::string>{"A", "beta"});
}

CATCH_TEST_CASE("a set is known by its elements in any order") {
  CATCH_CHECK(parse_contexts({"perturbation=B+A"}, kModel).values[0] == "A+B");
  CATCH_CHECK(parse_contexts({"perturbation=A+D"}, kModel).values[0] == "A+D");
  CATCH_CHECK(same_set("A+B", "B+A"));
  CATCH_CHECK(!same_set("A+B", "A+A"));
  CATCH_CHECK_THAT(error_of([] { parse_contexts({"perturbation=A+X"}, kModel); }),
                   Contains("the model knows no perturbation 'A+X' among its 4"));
}

CATCH_TEST_CASE("a context that cannot be is refused with the nearest name") {
  CATCH_CHECK_THAT(error_of([] { parse_contexts({"cell_type=betta"}, kModel); }),
                   Contains("64 --set-context cell_type=betta: the model knows no cell_type "
                            "'betta' among its 3") &&
                       Contains("did you mean beta?"));
  CATCH_CHECK_THAT(
      error_of([] { parse_contexts({"celltype=beta"}, kModel); }),
      Contains("the model has no field 'celltype'") && Contains("did you mean cell_type?"));
  CATCH_CHECK_THAT(error_of([] { parse_contexts({"beta"}, kModel); }),
                   Contains("--set-context beta is not FIELD=VALUE"));
  CATCH_CHECK_THAT(error_of([] {
                     parse_contexts({"cell_type=beta", "cell_type=alpha"}, kModel);
                   }),
                   Contains("--set-context gives cell_type twice"));
  CATCH_CHECK_THAT(error_of([] {
                     RoleFinder({{0}, {"beta"}}, {"cell_type"}, kModel);
                   }),
                   Contains("--match cell_type: this field is the one that is changed"));
}

}  // namespace cellmill::infer
