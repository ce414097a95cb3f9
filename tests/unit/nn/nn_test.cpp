#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "nn/context_ffn.h"
#include "nn/losses.h"
#include "nn/rounded_counts.h"
#include "nn/sparse.h"

using namespace cellmill;

namespace {
at::Tensor random(std::vector<std::int64_t> shape) { return at::randn(shape, at::kDouble); }
at::Tensor labels(std::vector<std::int64_t> values) { return at::tensor(values, at::kLong); }
bool close(const at::Tensor& a, const at::Tensor& b) { return at::allclose(a, b, 1e-11, 1e-12); }
}  // namespace

CATCH_TEST_CASE("densify puts values in place", "[nn]") {
  const auto x = nn::densify(
      {labels({0, 2, 2, 3}), labels({0, 3, 1}), at::tensor({1.f, 2.f, 3.f}), 4}, at::kFloat);
  CATCH_CHECK(at::equal(
      x, at::tensor({1.f, 0.f, 0.f, 2.f, 0.f, 0.f, 0.f, 0.f, 0.f, 3.f, 0.f, 0.f}).view({3, 4})));
  CATCH_CHECK(nn::densify({labels({0}), labels({}), at::empty({0}), 4}, at::kFloat).sizes() ==
              at::IntArrayRef({0, 4}));
}

CATCH_TEST_CASE("rows pass the network of their context, forward and backward", "[nn]") {
  at::manual_seed(1);
  nn::FfnPool pool{nn::FfnKind::kMlp, random({3, 4, 4}), random({3, 4}), random({3, 4, 4}),
                   random({3, 4})};
  for (auto* t : {&pool.weight1, &pool.bias1, &pool.weight2, &pool.bias2})
    t->set_requires_grad(true);
  const std::vector<std::int64_t> context = {2, -1, 0, 2, 0};
  const auto x = random({5, 4}).set_requires_grad(true);
  const auto y = nn::context_ffn(x, pool, nn::route_plain(labels(context)));
  std::vector<at::Tensor> rows;
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto c = context[i];
    if (c < 0) {
      rows.push_back(at::zeros({4}, at::kDouble));
      continue;
    }
    const auto h = at::relu(at::mv(pool.weight1[c], x[i]) + pool.bias1[c]);
    rows.push_back(at::mv(pool.weight2[c], h) + pool.bias2[c]);
  }
  const auto plain = at::stack(rows);
  CATCH_CHECK(close(y, plain));
  const auto g = random({5, 4});
  const std::vector<at::Tensor> inputs = {x, pool.weight1, pool.bias1, pool.weight2, pool.bias2};
  std::vector<at::Tensor> fast, slow;
  for (auto* out : {&fast, &slow}) {
    for (const auto& t : inputs) at::Tensor(t).mutable_grad() = at::Tensor();
    ((out == &fast ? y : plain) * g).sum().backward();
    for (const auto& t : inputs) out->push_back(t.grad().clone());
  }
  for (std::size_t k = 0; k < inputs.size(); ++k) CATCH_CHECK(close(fast[k], slow[k]));
  CATCH_CHECK(fast[1][1].abs().sum().item<double>() == 0);  // context 1 is not used
}

CATCH_TEST_CASE("a set adds its elements' differences from the control", "[nn]") {
  at::manual_seed(2);
  const nn::FfnPool pool{nn::FfnKind::kLinear, random({3, 4, 4}), random({3, 4}), {}, {}};
  const auto x = random({4, 4});
  // categories: control, {1}, {1, 2}
  const auto y =
      nn::context_ffn(x, pool, nn::route_sets(labels({0, 1, 2, -1}), {{}, {1}, {1, 2}}, 0));
  const auto ffn = [&](int c, int row) { return at::mv(pool.weight1[c], x[row]) + pool.bias1[c]; };
  CATCH_CHECK(close(y[0], ffn(0, 0)));
  CATCH_CHECK(close(y[1], ffn(1, 1)));
  CATCH_CHECK(close(y[2], ffn(1, 2) + ffn(2, 2) - ffn(0, 2)));
  CATCH_CHECK(y[3].abs().sum().item<double>() == 0);
}

CATCH_TEST_CASE("cross-entropy counts known labels alone", "[nn]") {
  const auto logits = at::tensor({1.0, 2.0, 0.5, -1.0}, at::kDouble).view({2, 2});
  const auto one = -at::log_softmax(logits, 1)[0][1];
  CATCH_CHECK(close(nn::cross_entropy_sum(logits, labels({1, -1})), one));
  CATCH_CHECK(nn::cross_entropy_sum(logits, labels({-1, -1})).item<double>() == 0);
}

CATCH_TEST_CASE("population matching is the unbiased form, whole or in shares", "[nn]") {
  at::manual_seed(3);
  const auto residual = random({7, 5}).set_requires_grad(true);
  const std::vector<std::int64_t> keys = {0, 1, 1, -1, 0, 2, 0};  // key 2 has one cell: left out
  at::Tensor direct = at::zeros({}, at::kDouble);
  const double cells = 5;
  for (std::int64_t k = 0; k < 2; ++k) {
    std::vector<at::Tensor> rows;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] == k) rows.push_back(residual[static_cast<std::int64_t>(i)]);
    }
    const auto d = at::stack(rows);
    direct = direct +
             (d.sum(0).square().sum() - d.square().sum()) / (static_cast<double>(rows.size()) - 1);
  }
  direct = direct / cells;
  direct.backward();
  const auto expected = residual.grad().clone();

  const auto sums = nn::population_sums(residual, labels(keys), 3);
  for (const std::int64_t cut : {std::int64_t{7}, std::int64_t{3}, std::int64_t{0}}) {
    residual.mutable_grad() = at::Tensor();
    const auto a =
        nn::population_matching(residual.slice(0, 0, cut), labels(keys).slice(0, 0, cut), sums);
    const auto b =
        nn::population_matching(residual.slice(0, cut), labels(keys).slice(0, cut), sums);
    (a + b).backward();
    CATCH_CHECK((a + b).item<double>() == Approx(direct.item<double>()).epsilon(1e-12));
    CATCH_CHECK(close(residual.grad(), expected));
  }
}

CATCH_TEST_CASE("rounded counts are the rates scaled to their total, for rates and for logits") {
  at::manual_seed(8);
  const auto decoded = at::randn({3, 500}).mul_(2);
  const auto wide = decoded.to(at::kDouble);
  const auto log1p = at::clamp_min(wide, 0).expm1();
  const auto totals = at::tensor({20000., 7., 0.}, at::kDouble);
  for (const auto form : {nn::Decoded::kLog1p, nn::Decoded::kLogits}) {
    const auto share =
        form == nn::Decoded::kLog1p ? log1p / log1p.sum(1, true) : at::softmax(wide, 1);
    const auto counts = nn::rounded_counts(decoded, form, totals);
    for (std::int64_t row = 0; row < 3; ++row) {
      const auto found = at::tensor(counts.at(row)).to(at::kDouble);
      CATCH_CHECK((found - share[row] * totals[row]).abs().max().item<double>() < 0.501);
    }
  }
  const auto nothing = nn::rounded_counts(at::full({1, 4}, -1.f), nn::Decoded::kLog1p,
                                          at::full({1}, 9., at::kDouble));
  CATCH_CHECK(nothing.at(0) == std::vector<std::int32_t>(4, 0));
}
