#include "metrics/correlation.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

using namespace cellmill::metrics;

namespace {

double pearson(const at::Tensor& a, const at::Tensor& b) {
  return at::corrcoef(at::stack({a, b}))[0][1].item<double>();
}

}  // namespace

CATCH_TEST_CASE("correlations of genes and samples, in parts", "[metrics]") {
  at::manual_seed(4);
  auto truth = at::rand({60, 7}, at::kDouble) * at::arange(1, 8);
  auto guess = truth + at::randn({60, 7}, at::kDouble);
  truth.select(1, 2).fill_(3);  // a gene that does not vary
  double genes = 0, weights = 0, samples = 0;
  for (int g = 0; g < 7; ++g) {
    const double variance = truth.select(1, g).var(false).item<double>();
    weights += variance;
    if (g != 2) genes += variance * pearson(truth.select(1, g), guess.select(1, g));
  }
  for (int i = 0; i < 60; ++i) samples += pearson(truth[i], guess[i]) / 60;
  Correlation whole(7), part(7), rest(7);
  whole.update(truth, guess);
  part.update(truth.slice(0, 0, 23), guess.slice(0, 0, 23));
  rest.update(truth.slice(0, 23), guess.slice(0, 23));
  part.state() += rest.state();
  for (const auto* c : {&whole, &part}) {
    CATCH_CHECK(c->of_genes() == Approx(genes / weights).epsilon(1e-9));
    CATCH_CHECK(c->of_samples() == Approx(samples).epsilon(1e-9));
  }
  CATCH_CHECK(std::isnan(Correlation(3).of_samples()));
}
