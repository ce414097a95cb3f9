#include "metrics/calibration.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

using namespace cellmill::metrics;

namespace {

/// Two classes; the first with probability p.
at::Tensor logits(const std::vector<double>& p) {
  const auto first = at::tensor(p, at::kDouble);
  return at::log(at::stack({first, 1 - first}, 1));
}

at::Tensor labels(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }

}  // namespace

CATCH_TEST_CASE("calibration error, worked by hand", "[metrics]") {
  Calibration c;
  // Bin 0.9 to 1: confidence 0.95 twice, one hit; bin 0.6 to 0.7: confidence 0.65 twice, two hits.
  c.update(labels({0, 1, 0, 0, -1}), logits({0.95, 0.95, 0.65, 0.65, 0.5}));
  CATCH_CHECK(c.unscaled_error() == Approx((2 * 0.45 + 2 * 0.35) / 4));
}

CATCH_TEST_CASE("the temperature undoes an over-confident head", "[metrics]") {
  at::manual_seed(3);
  const auto p = 0.5 + 0.49 * at::rand({4000}, at::kDouble);
  const auto truth = (at::rand({4000}, at::kDouble) > p).to(at::kLong);
  const auto honest = at::log(at::stack({p, 1 - p}, 1));
  for (const double factor : {0.25, 1., 4.}) {
    Calibration c, parts;
    c.update(truth, factor * honest);
    CATCH_CHECK(c.temperature() == Approx(factor).epsilon(0.2));
    CATCH_CHECK(c.error() < 0.03);
    if (factor != 1) CATCH_CHECK(c.unscaled_error() > 2 * c.error());
    parts.update(truth.slice(0, 0, 1500), factor * honest.slice(0, 0, 1500));
    Calibration rest;
    rest.update(truth.slice(0, 1500), factor * honest.slice(0, 1500));
    parts.state() += rest.state();
    CATCH_CHECK(parts.error() == Approx(c.error()).epsilon(1e-9));
  }
}

CATCH_TEST_CASE("without cells there is no calibration", "[metrics]") {
  Calibration c;
  c.update(labels({-1, -1}), logits({0.5, 0.5}));
  CATCH_CHECK(std::isnan(c.error()));
  CATCH_CHECK(c.temperature() == 1);
}
