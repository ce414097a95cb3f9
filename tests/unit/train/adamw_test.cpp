#include "train/adamw.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <catch2/catch.hpp>
#include <map>

using namespace cellmill;
using train::AdamW;

namespace {

at::Tensor numbers(at::IntArrayRef shape, double from) {
  std::int64_t count = 1;
  for (const auto n : shape) count *= n;
  return at::sin(at::arange(count, at::kDouble) * 1.7 + from).view(shape);
}

/// Contexts [4, 2, 3], a plain matrix with a decay of its own, a bias.
models::Group group(at::ScalarType dtype = at::kDouble) {
  models::Group made{"generator", 0.02, 0.8, 0.95, 1e-6, 0, {}};
  made.parameters = {{"pool", numbers({4, 2, 3}, 1), 0.1, 0},
                     {"matrix", numbers({3, 5}, 2), 0.3, -1},
                     {"bias", numbers({5}, 3), 0, -1}};
  for (auto& p : made.parameters) p.value = p.value.to(dtype).set_requires_grad(true);
  return made;
}

/// The algorithm as it is printed, for one slice.
struct Written {
  at::Tensor value, m, v;
  int t = 0;
  explicit Written(const at::Tensor& start)
      : value(start.detach().clone()), m(at::zeros_like(value)), v(at::zeros_like(value)) {}
  void step(const at::Tensor& g, double rate, double decay) {
    ++t;
    value = value * (1 - rate * decay);
    m = 0.8 * m + 0.2 * g;
    v = 0.95 * v + 0.05 * g * g;
    const auto m_hat = m / (1 - std::pow(0.8, t)), v_hat = v / (1 - std::pow(0.95, t));
    value = value - rate * m_hat / (v_hat.sqrt() + 1e-6);
  }
};

at::Tensor mask(std::initializer_list<int> used) {
  auto made = at::zeros({4}, at::kByte);
  for (const int c : used) made[c] = 1;
  return made;
}

void check_close(const at::Tensor& got, const at::Tensor& expected) {
  CATCH_CHECK((got - expected).abs().max().item<double>() < 1e-14);
}

}  // namespace

CATCH_TEST_CASE("steps are those of AdamW as printed, each context with its own count", "[adamw]") {
  auto g = group();
  std::vector<Written> pool;
  for (int c = 0; c < 4; ++c) pool.emplace_back(g.parameters[0].value[c]);
  Written matrix(g.parameters[1].value), bias(g.parameters[2].value);
  AdamW optimiser(g);

  const std::vector<std::vector<int>> used = {{0, 1}, {1}, {0, 1, 3}, {}, {3}};
  for (std::size_t step = 0; step < used.size(); ++step) {
    const double schedule = 1 - 0.1 * static_cast<double>(step);
    auto touched = mask({});
    optimiser.zero_gradient();
    for (const auto& p : g.parameters) {
      CATCH_REQUIRE(p.value.grad().defined());
      p.value.grad().copy_(numbers(p.value.sizes(), 10.0 * static_cast<double>(step + 1)));
    }
    for (const int c : used[step]) {
      touched[c] = 1;
      pool[static_cast<std::size_t>(c)].step(g.parameters[0].value.grad()[c], 0.02 * schedule, 0.1);
    }
    matrix.step(g.parameters[1].value.grad(), 0.02 * schedule, 0.3);
    bias.step(g.parameters[2].value.grad(), 0.02 * schedule, 0);
    optimiser.step(schedule, {touched});
  }
  for (int c = 0; c < 4; ++c) {
    check_close(g.parameters[0].value.detach()[c], pool[static_cast<std::size_t>(c)].value);
  }
  check_close(g.parameters[1].value.detach(), matrix.value);
  check_close(g.parameters[2].value.detach(), bias.value);
  const auto named = optimiser.state();
  std::map<std::string, at::Tensor> state(named.begin(), named.end());
  CATCH_REQUIRE(state.size() == 9);
  CATCH_CHECK(state.at("steps/pool").equal(at::tensor({2.f, 3.f, 0.f, 2.f})));
  CATCH_CHECK(state.at("steps/matrix").equal(at::tensor({5.f})));
  check_close(state.at("moment1/pool")[3], pool[3].m);
  check_close(state.at("moment2/matrix"), matrix.v);
}

CATCH_TEST_CASE("contexts that no cell touched stay bit for bit, moments and all", "[adamw]") {
  auto g = group();
  AdamW optimiser(g);
  const auto step = [&](const at::Tensor& touched) {
    for (const auto& p : g.parameters) p.value.grad().fill_(0.5);
    optimiser.step(1, {touched});
  };
  step(mask({0, 2}));  // so that 2 has momentum
  std::vector<at::Tensor> before = {g.parameters[0].value.detach().clone()};
  for (const auto& [name, value] : optimiser.state()) before.push_back(value.clone());
  step(mask({0}));
  std::vector<at::Tensor> after = {g.parameters[0].value.detach()};
  std::vector<std::string> names = {"value"};
  for (const auto& [name, value] : optimiser.state()) {
    after.push_back(value);
    names.push_back(name);
  }
  for (std::size_t k = 0; k < after.size(); ++k) {
    if (k > 0 && !names[k].ends_with("/pool")) continue;
    CATCH_INFO(names[k]);
    CATCH_CHECK(after[k].slice(0, 1).equal(before[k].slice(0, 1)));
    CATCH_CHECK_FALSE(after[k][0].equal(before[k][0]));
  }
}

CATCH_TEST_CASE("parameters keep their values and become views of one tensor", "[adamw]") {
  auto g = group();
  const auto matrix = g.parameters[1].value.detach().clone();
  AdamW optimiser(g);
  CATCH_CHECK(g.parameters[1].value.detach().equal(matrix));
  CATCH_CHECK(optimiser.gradient().numel() == 24 + 15 + 5);
  g.parameters[2].value.grad().fill_(7);
  CATCH_CHECK(optimiser.gradient().sum().item<double>() == 35);
  (g.parameters[1].value * 2).sum().backward();
  CATCH_CHECK(optimiser.gradient().sum().item<double>() == 35 + 30);
  optimiser.zero_gradient();
  CATCH_CHECK(g.parameters[2].value.grad().abs().sum().item<double>() == 0);
}

CATCH_TEST_CASE("clipping scales the whole gradient to the norm, and only if it is longer",
                "[adamw]") {
  auto g = group();
  AdamW free(g);
  free.gradient().fill_(1);
  CATCH_CHECK(free.clip() == Approx(std::sqrt(44)));
  CATCH_CHECK(free.gradient().norm().item<double>() == Approx(std::sqrt(44)));
  auto h = group();
  h.clip_norm = 2;
  AdamW clipped(h);
  clipped.gradient().fill_(1);
  CATCH_CHECK(clipped.clip() == Approx(std::sqrt(44)));
  CATCH_CHECK(clipped.gradient().norm().item<double>() == Approx(2).epsilon(1e-6));
  clipped.gradient().fill_(0.1);
  clipped.clip();
  CATCH_CHECK(clipped.gradient().eq(0.1).all().item<bool>());
}

CATCH_TEST_CASE("the float32 kernel takes the steps of LibTorch's", "[adamw]") {
  models::Group groups[] = {group(at::kFloat), group(at::kDouble)};
  for (auto& g : groups) {  // longer than one thread's piece
    g.parameters.push_back(
        {"long", numbers({200001}, 4).to(g.parameters[0].value.dtype()), 0.1, -1});
    g.parameters.back().value.set_requires_grad(true);
  }
  AdamW fast(groups[0]), plain(groups[1]);
  for (int step = 0; step < 4; ++step) {
    for (auto& g : groups)
      for (const auto& p : g.parameters)
        p.value.grad().copy_(numbers(p.value.sizes(), 3.0 * step).to(at::kFloat));
    const auto touched = step % 2 ? mask({1, 3}) : mask({0, 1});
    fast.step(1 - 0.2 * step, {touched});
    plain.step(1 - 0.2 * step, {touched});
  }
  for (std::size_t k = 0; k < groups[0].parameters.size(); ++k) {
    const auto a = groups[0].parameters[k].value.detach().to(at::kDouble);
    CATCH_CHECK((a - groups[1].parameters[k].value.detach()).abs().max().item<double>() < 1e-6);
  }
  const auto a = fast.state(), b = plain.state();
  for (std::size_t k = 0; k < a.size(); ++k)
    CATCH_CHECK(
        (a[k].second.to(at::kDouble) - b[k].second.to(at::kDouble)).abs().max().item<double>() <
        1e-6);
}
