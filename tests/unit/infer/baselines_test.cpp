#include "infer/baselines.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

namespace cellmill::infer {
namespace {

Population cells(const std::vector<std::vector<double>>& rows) {
  Population population;
  for (const auto& row : rows) add_cells(population, at::tensor(row, at::kDouble).unsqueeze(0));
  return population;
}

bool close(const at::Tensor& a, const std::vector<double>& b) {
  return at::allclose(a, at::tensor(b, at::kDouble), 1e-9, 1e-9);
}

at::Tensor predicted(const std::vector<Prediction>& predictions, const std::string& name) {
  for (const Prediction& p : predictions)
    if (p.name == name) return p.mean;
  return {};
}

// Two types; the first has 3 + 3 cells, the second 2 + 2.
const std::vector<Population> kSource{cells({{0, 0}, {1, 0}, {2, 3}}), cells({{4, 1}, {6, 1}})};
const std::vector<Population> kWanted{cells({{3, 0}, {4, 0}, {5, 3}}), cells({{6, 1}, {8, 5}})};

}  // namespace

CATCH_TEST_CASE("a population keeps mean and variance") {
  const Population p = cells({{1, 5}, {2, 5}, {6, 5}});
  CATCH_CHECK(p.cells == 3);
  CATCH_CHECK(close(p.mean(), {3, 5}));
  CATCH_CHECK(close(p.variance(), {7, 0}));
  Population both = p;
  both.add(Population{});
  both.add(cells({{3, 1}}));
  CATCH_CHECK(close(both.mean(), {3, 4}));
}

CATCH_TEST_CASE("sparse rows and dense rows make the same population") {
  data::Batch batch;
  batch.genes = 3;
  batch.indptr = at::tensor({0, 2, 2, 3}, at::kLong);
  batch.indices = at::tensor({0, 2, 1}, at::kLong);
  batch.values = at::tensor({1.f, 2.f, 4.f});
  Population sparse;
  for (std::int64_t row = 0; row < 3; ++row) add_cell(sparse, batch, row);
  const Population dense = cells({{1, 0, 2}, {0, 0, 0}, {0, 4, 0}});
  CATCH_CHECK(at::equal(sparse.sum, dense.sum));
  CATCH_CHECK(at::equal(sparse.square, dense.square));
  CATCH_CHECK(sparse.cells == 3);
}

CATCH_TEST_CASE("shifts are those of hand-made numbers") {
  const Shifts s = learn_shifts(kSource, kWanted);
  // means: source (13, 5) / 5, wanted (26, 9) / 5
  CATCH_CHECK(close(s.additive, {2.6, 0.8}));
  CATCH_CHECK(close(s.per_type[0], {3, 0}));
  CATCH_CHECK(close(s.per_type[1], {2, 2}));
  // weights 3 * 3 / 6 = 1.5 and 2 * 2 / 4 = 1
  CATCH_CHECK(close(s.adjusted, {(4.5 + 2) / 2.5, 2 / 2.5}));
  CATCH_CHECK(close(s.real[1], {7, 3}));
  CATCH_CHECK(close(s.real_all, {5.2, 1.8}));
}

CATCH_TEST_CASE("the ridge equals the dense solution of its normal equations") {
  std::vector<Population> source = kSource, wanted = kWanted;
  source.push_back(cells({{1, 9}, {2, 8}, {0, 9}}));
  wanted.push_back({});  // a type never seen in the wanted context
  source.push_back({});
  wanted.push_back(cells({{7, 7}}));
  const std::int64_t types = 4;
  at::Tensor gram = at::zeros({2 * types + 1, 2 * types + 1}, at::kDouble);
  at::Tensor right = at::zeros({2 * types + 1, 2}, at::kDouble);
  const auto add = [&](const Population& p, const std::vector<std::int64_t>& ones) {
    if (p.cells == 0) return;
    for (std::int64_t i : ones) {
      for (std::int64_t j : ones) gram[i][j] += p.cells;
      right[i] += p.sum;
    }
  };
  for (std::int64_t k = 0; k < types; ++k) {
    add(source[k], {k});
    add(wanted[k], {k, types, types + 1 + k});
  }
  for (std::int64_t i = 0; i < 2 * types + 1; ++i)
    gram[i][i] += i <= types ? kRidgeSmall : kRidgePenalty;
  const at::Tensor beta = at::linalg_solve(gram, right);
  const Shifts s = learn_shifts(source, wanted);
  for (std::int64_t k = 0; k < types; ++k)
    CATCH_CHECK(at::allclose(s.ridge[k], beta[types] + beta[types + 1 + k], 1e-9, 1e-9));
}

CATCH_TEST_CASE("predictions weigh types by the cells that are asked for") {
  const Shifts s = learn_shifts(kSource, kWanted);
  const at::Tensor c = at::tensor({1., 1.}, at::kDouble);
  const auto p = predict_means(s, c, {1, 3});
  CATCH_CHECK(close(predicted(p, "no change"), {1, 1}));
  CATCH_CHECK(close(predicted(p, "additive shift"), {3.6, 1.8}));
  CATCH_CHECK(close(predicted(p, "per-type shift"), {1 + (3 + 6) / 4., 1 + 6 / 4.}));
  CATCH_CHECK(close(predicted(p, "mean of real cells"), {(4 + 3 * 7) / 4., (1 + 3 * 3) / 4.}));
  CATCH_CHECK(at::allclose(predicted(p, "ridge shift"), c + (s.ridge[0] + 3 * s.ridge[1]) / 4));
}

CATCH_TEST_CASE("a type without real cells falls back, and without any nothing is claimed") {
  const Shifts s = learn_shifts({kSource[0], kSource[1]}, {kWanted[0], Population{}});
  const auto p = predict_means(s, at::zeros({2}, at::kDouble), {0, 2});
  CATCH_CHECK(close(predicted(p, "per-type shift"), {3, 0}));
  CATCH_CHECK(close(predicted(p, "mean of real cells"), {4, 1}));
  const auto none = predict_means(learn_shifts(kSource, {Population{}, Population{}}),
                                  at::zeros({2}, at::kDouble), {1, 1});
  CATCH_REQUIRE(none.size() == 1);
  CATCH_CHECK(none[0].name == "no change");
}

CATCH_TEST_CASE("scores are those of hand-made numbers") {
  const at::Tensor c = at::tensor({0., 0., 0.}, at::kDouble);
  const at::Tensor t = at::tensor({2., 0., 1.}, at::kDouble);
  const at::Tensor top = at::tensor({0}, at::kLong);
  const Scores same = score(c, c, t, top);
  CATCH_CHECK(same.err == Approx(1));
  CATCH_CHECK(same.err100 == Approx(1));
  CATCH_CHECK(same.cor == Approx(0).margin(1e-9));
  const Scores half = score(t / 2, c, t, top);
  CATCH_CHECK(half.cor == Approx(1));
  CATCH_CHECK(half.err == Approx(0.25));
  const Scores other = score(at::tensor({2., 2., 1.}, at::kDouble), c, t, top);
  CATCH_CHECK(other.err == Approx(4 / 5.));
  CATCH_CHECK(other.err100 == Approx(0).margin(1e-12));
  // shifts about their means: (1/3, 1/3, -2/3) and (1, -1, 0)
  CATCH_CHECK(other.cor == Approx(0).margin(1e-9));
}

CATCH_TEST_CASE("top genes are those of the largest Welch t, and the truth has its noise") {
  const Population a = cells({{0, 0, 0}, {10, 0, 0}}), b = cells({{2, 1, 0}, {10, 1, 0}});
  CATCH_CHECK(top_genes(a, b)[0].item<std::int64_t>() == 1);
  CATCH_CHECK(top_genes(a, b).size(0) == 3);
  // truth means (6, 1, 0), source (5, 0, 0): |shift|^2 = 2; variance / n = (32 / 2, 0, 0)
  const Scores noise = noise_of_truth(a.mean(), b, at::tensor({1}, at::kLong));
  CATCH_CHECK(noise.err == Approx(8));
  CATCH_CHECK(noise.err100 == Approx(0).margin(1e-12));
}

}  // namespace cellmill::infer
