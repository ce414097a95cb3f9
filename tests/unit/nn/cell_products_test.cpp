#include "nn/cell_products.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include <catch2/catch.hpp>

#include "sparse_cells.h"

using namespace cellmill;

namespace {

constexpr std::int64_t kCells = 11, kGenes = 70;

struct Weights {
  at::Tensor base, decoder, bias, encoder, judge;

  explicit Weights(at::ScalarType dtype) {
    const auto random = [&](std::vector<std::int64_t> shape) {
      return at::randn(shape, dtype).set_requires_grad(true);
    };
    base = random({5, kGenes}), decoder = random({kGenes, 4}), bias = random({kGenes}),
    encoder = random({6, kGenes}), judge = random({3, kGenes});
  }
  /// Their gradients, which are forgotten.
  std::vector<at::Tensor> gradients() {
    std::vector<at::Tensor> all;
    for (auto* w : {&base, &decoder, &bias, &encoder, &judge}) {
      all.push_back(w->grad());
      w->mutable_grad() = at::Tensor();
    }
    return all;
  }
};

/// A scalar that depends on every product, then the gradients.
std::vector<at::Tensor> fast(const nn::Csr& x, Weights& w, const at::Tensor& u,
                             nn::GeneTables& tables) {
  const nn::CellProducts products(x, {{w.base}, {w.decoder, true}, {w.bias}},
                                  {{w.base}, {w.encoder}}, {{w.judge}}, tables);
  const auto expression = at::cat(products.expression(), 1);
  const auto generated = products.generate(u);
  const auto encoded = at::cat(products.encode(generated), 1);
  const auto loss = expression.sin().sum() + encoded.sin().sum() + 3 * products.squared_error(u);
  loss.backward();
  auto found = w.gradients();
  for (const auto& t : {expression, generated, encoded, loss}) found.push_back(t.detach());
  return found;
}

std::vector<at::Tensor> plain(const at::Tensor& x, Weights& w, const at::Tensor& u) {
  const auto d = at::cat({w.base.t(), w.decoder, w.bias.unsqueeze(1)}, 1);
  const auto e = at::cat({w.base, w.encoder}, 0);
  const auto expression = at::mm(x, at::cat({e, w.judge}, 0).t());
  const auto generated = at::mm(u, d.t());
  const auto encoded = at::mm(generated, at::cat({e, w.judge.detach()}, 0).t());
  const auto loss =
      expression.sin().sum() + encoded.sin().sum() + 3 * (generated - x).square().sum();
  loss.backward();
  auto found = w.gradients();
  for (const auto& t : {expression, generated, encoded, loss}) found.push_back(t.detach());
  return found;
}

}  // namespace

CATCH_TEST_CASE("products with all heads side by side equal those one by one", "[nn]") {
  at::manual_seed(8);
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const auto x = nn::cells(kCells, kGenes, 0.3, dtype);
    Weights w(dtype);
    nn::GeneTables tables;
    auto u = at::randn({kCells, 10}, dtype).set_requires_grad(true);
    const auto of_u = [&] { return std::exchange(u.mutable_grad(), at::Tensor()); };
    for (int repeat = 0; repeat < 2; ++repeat) {
      auto found = fast(nn::sparse(x), w, u, tables);
      found.push_back(of_u());
      auto expected = plain(x, w, u);
      expected.push_back(of_u());
      for (std::size_t k = 0; k < expected.size(); ++k) {
        CATCH_INFO("tensor " << k);
        CATCH_CHECK(nn::distance(found[k], expected[k]) < (dtype == at::kDouble ? 1e-13 : 1e-5));
      }
    }
  }
}

CATCH_TEST_CASE("in bfloat16 they are what bfloat16 allows", "[nn]") {
  at::manual_seed(9);
  const auto x = nn::cells(kCells, kGenes, 0.3, at::kFloat);
  Weights w(at::kFloat);
  nn::GeneTables tables;
  const auto u = at::randn({kCells, 10}, at::kFloat);
  const auto expected = plain(x, w, u);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const auto found = fast(nn::sparse(x), w, u, tables);
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  CATCH_CHECK(found[6].scalar_type() == at::kBFloat16);  // generated
  for (std::size_t k = 5; k < expected.size(); ++k) {
    CATCH_INFO("tensor " << k);
    CATCH_CHECK(nn::distance(found[k].to(at::kFloat), expected[k]) < 2e-2);
  }
}
