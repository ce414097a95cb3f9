#include "infer/metadata_completion.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "infer/sex_report.h"

using namespace cellmill;
using namespace cellmill::infer;
using Catch::Contains;

namespace {

Predictions predictions() {
  Predictions p;
  p.cells = 5;
  PredictedField sex{"sex", 0, true, {"female", "male"}};
  sex.probabilities =
      at::tensor({0.9, 0.1, 0.2, 0.8, 0.55, 0.45, 0.01, 0.99, 0.3, 0.7}, at::kDouble).view({5, 2});
  sex.label = {0, 1, 0, 1, 1};
  sex.probability = {0.9, 0.8, 0.55, 0.99, 0.7};
  p.fields = {sex};
  return p;
}

// given: missing, female (wrong), missing, female (very wrong), unknown word
GivenLabels given() { return {{"sex", {"female", "intersex"}}, {-1, 0, -1, 0, 1}}; }

}  // namespace

CATCH_TEST_CASE("missing labels are filled in where sure; given ones never change") {
  const auto fields = complete(predictions(), {given()}, 0.6);
  const auto& sex = fields.front();
  CATCH_CHECK(sex.text == std::vector<std::string>{"female", "female", "", "female", "intersex"});
  CATCH_CHECK(sex.source ==
              std::vector<std::string>{"predicted", "given", "missing", "given", "given"});
  CATCH_CHECK(sex.confidence[1] == Approx(0.2));
  CATCH_CHECK(sex.confidence[4] == 0);
  CATCH_CHECK((sex.given == 3 && sex.known == 2 && sex.agree == 0));
  CATCH_CHECK((sex.filled == 1 && sex.unsure == 1));
  CATCH_CHECK_THAT(text_of(fields), Contains("0.0 %"));
}

CATCH_TEST_CASE("doubtful labels come in the order of the doubt; unknown ones are no doubt") {
  const auto doubtful = doubtful_labels(predictions(), {given()});
  CATCH_REQUIRE(doubtful.size() == 2);
  CATCH_CHECK((doubtful[0].sample == 3 && doubtful[1].sample == 1));
  CATCH_CHECK(doubtful[0].margin() == Approx(0.98));
  CATCH_CHECK_THAT(csv_of(doubtful, {"a", "b", "c", "d", "e"}),
                   Contains("1,d,sex,female,0.010000,male,0.990000,0.980000\n"));
}

CATCH_TEST_CASE("any of several given words agrees") {
  const auto fields = complete(predictions(), {{{"sex", {"male|female"}}, {0, 0, 0, 0, 0}}}, 0.6);
  CATCH_CHECK(fields.front().agree == 5);
  CATCH_CHECK(fields.front().confidence.front() == Approx(1));
}

CATCH_TEST_CASE("the sex report sets markers beside, and guesses nothing where one is absent") {
  const auto p = predictions();
  const double none = std::nan("");
  const std::vector<std::string> names = {"a", "b", "c", "d", "e"};
  const std::vector<std::string> labels = {"Female", "", "", "", "male"};
  const auto report =
      sex_report(p.fields[0], names, labels, {50, 0, 0, 2, 30, 20, 0, 0, 0, 9, 1, 1, 0, 40, 0});
  CATCH_CHECK(report.rows[0].markers_say == "female");
  CATCH_CHECK(report.rows[1].markers_say == "male");
  CATCH_CHECK(report.rows[2].markers_say == "neither is expressed");
  CATCH_CHECK(report.rows[3].markers_say == "female");
  CATCH_CHECK_THAT(text_of(report),
                   Contains("2 of 2 labels agree") && Contains("tell the sex of 4"));
  const auto absent = sex_report(p.fields[0], names, labels,
                                 {none, 0, 0, none, 30, 20, none, 0, 0, none, 1, 1, none, 40, 0});
  for (const auto& row : absent.rows) CATCH_CHECK(row.markers_say == "marker absent: XIST");
  CATCH_CHECK_THAT(text_of(absent), Contains("marker absent: XIST: nothing is said"));
  CATCH_CHECK_THAT(csv_of(absent),
                   Contains("b,male,0.8000,,absent,30.00,20.00,marker absent: XIST"));
}
