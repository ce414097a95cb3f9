#include "nn/gene_products.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <catch2/catch.hpp>

#include "nn/losses.h"
#include "sparse_cells.h"

using namespace cellmill;
using nn::cells;
using nn::distance;
using nn::sparse;

CATCH_TEST_CASE("sparse products equal dense ones, for any width and number of threads", "[nn]") {
  at::manual_seed(4);
  const auto threads = at::get_num_threads();
#ifdef __SANITIZE_THREAD__
  const std::vector<int> numbers = {1};  // libgomp, which it does not see into, orders the others
#else
  const std::vector<int> numbers = {1, 2, 5};
#endif
  for (const int n : numbers) {
    at::set_num_threads(n);
    for (const std::int64_t columns : {1, 7, 64, 65, 200}) {
      for (const auto& x : {cells(37, 90, 0.2, at::kFloat), cells(0, 90, 0.2, at::kFloat),
                            cells(3, 90, 0.0, at::kFloat), cells(1100, 2500, 0.03, at::kFloat)}) {
        const auto wide = at::randn({x.size(1), columns + 3}, at::kFloat);
        const auto m = wide.slice(1, 2, 2 + columns);  // rows farther apart than they are long
        CATCH_CHECK(distance(nn::multiply(sparse(x), m), at::mm(x, m)) < 1e-6);
        const auto y = at::randn({x.size(0), columns}, at::kFloat);
        auto out = at::full({x.size(1), columns}, NAN, at::kFloat);
        nn::multiply_transposed(sparse(x), y, out);
        CATCH_CHECK(distance(out, at::mm(x.t(), y)) < 1e-6);
      }
    }
  }
  at::set_num_threads(threads);
}

CATCH_TEST_CASE("products over genes and their gradients equal those of plain matrices", "[nn]") {
  at::manual_seed(5);
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const double allowed = dtype == at::kDouble ? 1e-13 : 2e-6;
    constexpr std::int64_t kGenes = 70;
    const auto x = cells(11, kGenes, 0.3, dtype);
    const auto random = [&](std::vector<std::int64_t> shape) {
      return at::randn(shape, dtype).set_requires_grad(true);
    };
    const auto base = random({5, kGenes}), decoder = random({kGenes, 4}), bias = random({kGenes}),
               encoder = random({6, kGenes}), judge = random({3, kGenes});
    const auto means = at::randn({2, kGenes}, dtype);
    const std::vector<at::Tensor> weights = {base, decoder, bias, encoder, judge};
    nn::GeneTables tables;
    for (int repeat = 0; repeat < 2; ++repeat) {  // the tables of the first call serve the second
      const auto fast = nn::gene_products(sparse(x), {{base}, {decoder, true}, {bias}},
                                          {{encoder}, {judge, false, true}}, means, tables);
      const auto d = at::cat({base.t(), decoder, bias.unsqueeze(1)}, 1);
      const auto m = at::cat({d, encoder.t()}, 1);
      const std::vector<at::Tensor> plain = {at::mm(x, at::cat({m, judge.t()}, 1)),
                                             at::mm(d.t(), m), at::mm(d.t(), judge.detach().t()),
                                             at::mm(means, d)};
      const std::vector<at::Tensor> got = {
          at::cat(fast.expression, 1),
          at::cat({fast.gram[0], fast.gram[1], fast.gram[2], fast.gram[3]}, 1), fast.gram[4],
          fast.rows};
      std::vector<at::Tensor> loss = {at::zeros({}, dtype), at::zeros({}, dtype)};
      for (std::size_t k = 0; k < plain.size(); ++k) {
        CATCH_CHECK(distance(got[k], plain[k]) < allowed);
        const auto g = at::randn(plain[k].sizes(), dtype);
        loss[0] = loss[0] + (got[k] * g).sum();
        loss[1] = loss[1] + (plain[k] * g).sum();
      }
      std::vector<std::vector<at::Tensor>> gradients;
      for (const auto& l : loss) {
        for (const auto& w : weights) at::Tensor(w).mutable_grad() = at::Tensor();
        l.backward();
        gradients.emplace_back();
        for (const auto& w : weights) gradients.back().push_back(w.grad().clone());
      }
      for (std::size_t w = 0; w < weights.size(); ++w) {
        CATCH_INFO("weight " << w);
        CATCH_CHECK(distance(gradients[0][w], gradients[1][w]) < allowed);
      }
    }
  }
}

CATCH_TEST_CASE("population matching by coefficients is that of the residuals", "[nn]") {
  at::manual_seed(6);
  const auto u = at::randn({7, 3}, at::kDouble).set_requires_grad(true);
  const auto d = at::randn({9, 3}, at::kDouble).set_requires_grad(true);
  const auto means = at::randn({3, 9}, at::kDouble);
  const auto keys = at::tensor(std::vector<std::int64_t>{0, 1, 1, -1, 0, 2, 0});
  std::vector<std::vector<at::Tensor>> gradients;
  std::vector<double> values;
  for (const bool factored : {false, true}) {
    at::Tensor loss = at::zeros({}, at::kDouble);
    const auto residual = at::mm(u, d.t()) - means.index_select(0, at::clamp_min(keys, 0));
    const auto sums = nn::population_sums(factored ? u : residual, keys, 3);
    for (const auto& [begin, end] : {std::pair{0, 3}, std::pair{3, 7}}) {  // as two ranks would
      const auto k = keys.slice(0, begin, end);
      loss = loss + (factored ? nn::population_matching(
                                    u.slice(0, begin, end), k, sums,
                                    {at::mm(d.t(), d), at::mm(means, d), means.square().sum(1)})
                              : nn::population_matching(residual.slice(0, begin, end), k, sums));
    }
    u.mutable_grad() = d.mutable_grad() = at::Tensor();
    loss.backward();
    values.push_back(loss.item<double>());
    gradients.push_back({u.grad().clone(), d.grad().clone()});
  }
  CATCH_CHECK(values[0] == Approx(values[1]).epsilon(1e-12));
  CATCH_CHECK(distance(gradients[1][0], gradients[0][0]) < 1e-12);
  CATCH_CHECK(distance(gradients[1][1], gradients[0][1]) < 1e-12);
}
