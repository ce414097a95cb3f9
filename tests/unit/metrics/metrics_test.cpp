#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "base/error.h"
#include "metrics/classification.h"
#include "metrics/metric.h"
#include "metrics/squared_errors.h"
#include "metrics/summary.h"

using namespace cellmill::metrics;

static_assert(Metric<Classification> && Metric<SquaredErrors> && Metric<Summary>);

namespace {

at::Tensor labels(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }

/// The metric of the parts, each as if on a rank of its own, gathered and merged.
template <class Make, class Update>
auto in_parts(Make make, std::int64_t parts, Update update) {
  std::vector<at::Tensor> states;
  for (std::int64_t p = 0; p < parts; ++p) {
    auto metric = make();
    update(metric, p);
    states.push_back(metric.state());
  }
  auto merged = make();
  merge_all(merged, at::stack(states));
  return merged;
}

const at::Tensor i500 = at::arange(500);
const at::Tensor truth500 = at::remainder(7 * i500 * i500, 11);
const at::Tensor guess500 =
    at::where(at::remainder(i500, 3).eq(0), at::remainder(5 * i500, 11), truth500);
const at::Tensor x60 = at::sin(at::arange(60, at::kDouble)).view({20, 3});
const at::Tensor y60 = x60 + 0.3 * at::cos(2 * at::arange(60, at::kDouble)).view({20, 3});

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
  const Classification merged =
      in_parts([] { return Classification(11); }, 4,
               [](Classification& m, auto p) {
                 m.update(truth500.narrow(0, p * 125, 125), guess500.narrow(0, p * 125, 125));
               });
  CATCH_CHECK(at::equal(merged.state(), whole.state()));
}

CATCH_TEST_CASE("a class out of range is refused", "[metrics]") {
  Classification c(3);
  CATCH_CHECK_THROWS_WITH(c.update(labels({0}), labels({3})), Catch::Contains("out of"));
}

CATCH_TEST_CASE("R2 against the own mean equals scikit-learn's", "[metrics]") {
  SquaredErrors s(1, 3);
  s.update(x60, {y60});
  const at::Tensor expected = at::tensor({0.92323444, 0.9032954, 0.89876069}, at::kDouble);
  CATCH_CHECK(at::allclose(s.r2_by_gene(0), expected, 0, 1e-8));
  CATCH_CHECK(s.r2(0) == Approx(0.9091635844867414).epsilon(1e-12));
}

CATCH_TEST_CASE("R2 against baselines is one less the ratio of squared errors", "[metrics]") {
  const at::Tensor truth = at::tensor({1., 5., 3., 5.}).view({2, 2}).to(at::kFloat);
  const at::Tensor mean = at::tensor({2., 5.});  // of the training cells; exact for gene 1
  SquaredErrors s(2, 2);
  s.update(truth, {truth + 0.5, mean});
  CATCH_CHECK(s.value().cells == 2);
  CATCH_CHECK(s.value().mean == std::vector<double>{0.25, 0.5});
  CATCH_CHECK(s.value().variance == 0.5);
  CATCH_CHECK(s.r2(0, 1) == 0.5);
  CATCH_CHECK(s.r2_by_gene(0, 1)[0].item<double>() == 0.75);
  CATCH_CHECK(std::isnan(s.r2_by_gene(0, 1)[1].item<double>()));  // the baseline has no error
  CATCH_CHECK_THROWS_WITH(s.update(truth, {truth}),
                          "SquaredErrors: 1 predictions for 2 predictors");
}

CATCH_TEST_CASE("squared errors in parts are the whole", "[metrics]") {
  SquaredErrors whole(2, 3);
  whole.update(x60, {y60, x60.mean(0)});
  const SquaredErrors merged =
      in_parts([] { return SquaredErrors(2, 3); }, 3,
               [](SquaredErrors& m, auto p) {
                 const std::int64_t begin = p * 7, n = std::min<std::int64_t>(7, 20 - begin);
                 m.update(x60.narrow(0, begin, n), {y60.narrow(0, begin, n), x60.mean(0)});
               });
  CATCH_CHECK(at::allclose(merged.state(), whole.state(), 1e-14, 1e-14));
  CATCH_CHECK(merged.value().cells == 20);
}

CATCH_TEST_CASE("summary: mean, least, greatest, in parts too", "[metrics]") {
  Summary whole(3);
  CATCH_CHECK(std::isnan(whole.value()[0].mean));
  whole.update(x60);
  whole.update(at::zeros({0, 3}));
  for (int c = 0; c < 3; ++c) {
    CATCH_CHECK(whole.value()[c].count == 20);
    CATCH_CHECK(whole.value()[c].mean == Approx(x60.mean(0)[c].item<double>()));
    CATCH_CHECK(whole.value()[c].min == x60.amin(0)[c].item<double>());
    CATCH_CHECK(whole.value()[c].max == x60.amax(0)[c].item<double>());
  }
  const Summary merged =
      in_parts([] { return Summary(3); }, 5,
               [](Summary& m, auto p) {
                 if (p < 4) m.update(x60.narrow(0, p * 5, 5));  // the last rank has no cells
               });
  CATCH_CHECK(at::allclose(merged.state(), whole.state(), 1e-14, 1e-14));
  whole.update(at::full({1, 3}, NAN));
  CATCH_CHECK(std::isnan(whole.value()[1].max));
}
