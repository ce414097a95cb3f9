#include "metrics/classification.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "base/error.h"

using namespace cellmill::metrics;

namespace {

at::Tensor labels(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }

const at::Tensor i500 = at::arange(500);
const at::Tensor truth500 = at::remainder(7 * i500 * i500, 11);
const at::Tensor guess500 =
    at::where(at::remainder(i500, 3).eq(0), at::remainder(5 * i500, 11), truth500);

}  // namespace

CATCH_TEST_CASE("accuracy and macro-F1 equal scikit-learn 1.9's", "[metrics]") {
  Classification small(7);  // class 4 and 6 occur nowhere, 5 in the prediction alone
  small.update(labels({0, 1, 2, 2, 1, 0, 0, 3, 1, 1}), labels({0, 2, 2, 2, 1, 0, 1, 1, 1, 5}));
  CATCH_CHECK(small.value().accuracy == 0.6);
  CATCH_CHECK(small.value().macro_f1 == Approx(0.42000000000000004).epsilon(1e-14));

  Classification large(11);
  large.update(truth500, guess500);
  CATCH_CHECK(large.value().cells == 500);
  CATCH_CHECK(large.value().accuracy == Approx(0.728).epsilon(1e-14));
  CATCH_CHECK(large.value().macro_f1 == Approx(0.4383110707788843).epsilon(1e-14));
}

CATCH_TEST_CASE("missing labels do not count, in no margin", "[metrics]") {
  Classification all(4), some(4);
  all.update(labels({0, 1, 3}), labels({0, 2, 3}));
  some.update(labels({-1, 0, 1, -1, 3}), labels({2, 0, 2, 1, 3}));
  CATCH_CHECK(at::equal(all.state(), some.state()));
  some.reset();
  some.update(labels({-1}), labels({2}));
  CATCH_CHECK(some.value().cells == 0);
  CATCH_CHECK(std::isnan(some.value().accuracy));
  CATCH_CHECK(std::isnan(some.value().macro_f1));
}

CATCH_TEST_CASE("classification in parts is the whole", "[metrics]") {
  Classification whole(11);
  whole.update(truth500, guess500);
  Classification merged(11);
  for (std::int64_t p = 0; p < 4; ++p) {
    Classification part(11);
    part.update(truth500.narrow(0, p * 125, 125), guess500.narrow(0, p * 125, 125));
    merged.merge(part.state());
  }
  CATCH_CHECK(at::equal(merged.state(), whole.state()));
}

CATCH_TEST_CASE("a class out of range is refused", "[metrics]") {
  Classification c(3);
  CATCH_CHECK_THROWS_WITH(c.update(labels({0}), labels({3})), Catch::Contains("out of"));
}
