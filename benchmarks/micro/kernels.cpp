// Each kernel of the training step beside its plain twin (LibTorch's operations), at the shapes of
// a training step: a line of JSON each, medians in milliseconds. `--quick` is for the guard in the
// tests: smaller shapes, the same ratios.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include "base/log.h"
#include "base/stopwatch.h"
#include "io/json.h"
#include "nn/context_ffn.h"
#include "nn/gene_products.h"
#include "nn/huge_pages.h"
#include "nn/sparse.h"
#include "train/adamw.h"

namespace {

using namespace cellmill;

struct Shape {
  std::int64_t cells = 512, genes = 20000, latent = 128, fields = 4, contexts = 300, judge = 256;
  int repeats = 7;
  std::int64_t columns() const { return (fields + 1) * latent + fields * latent + fields + judge; }
};

nn::Csr cells(const Shape& s) {
  const auto per_cell = s.genes * 67 / 1000;
  auto indices = at::empty({s.cells, per_cell}, at::kInt);
  for (std::int64_t i = 0; i < s.cells; ++i)
    indices[i].copy_(std::get<0>(at::randperm(s.genes).slice(0, 0, per_cell).sort()));
  return {at::arange(s.cells + 1) * per_cell, indices.flatten(),
          at::rand({s.cells * per_cell}) + 0.5, s.genes};
}

double median(const std::function<void()>& run, int repeats) {
  run();
  std::vector<double> times;
  for (int k = 0; k < repeats; ++k) {
    const Stopwatch watch;
    run();
    times.push_back(watch.seconds() * 1e3);
  }
  std::nth_element(times.begin(), times.begin() + repeats / 2, times.end());
  return times[static_cast<std::size_t>(repeats / 2)];
}

void report(const char* name, const Shape& s, double plain, double fast, double flop) {
  log::say(io::Json{{"benchmark", "kernel"},
                    {"name", name},
                    {"threads", at::get_num_threads()},
                    {"plain_ms", plain},
                    {"fast_ms", fast},
                    {"ratio", plain / fast},
                    {"fast_gflops", flop / fast * 1e-6},
                    {"cells", s.cells}}
               .dump());
}

void sparse_products(const Shape& s) {
  const auto x = cells(s);
  const auto m = nn::huge_empty({s.genes, s.columns()}, at::kFloat).normal_();
  const auto y = at::randn({s.cells, s.columns()});
  auto out = nn::huge_empty({s.genes, s.columns()}, at::kFloat);
  const double flop = 2.0 * static_cast<double>(x.values.numel() * s.columns());
  report("first_layer", s, median([&] { at::mm(nn::densify(x, at::kFloat), m); }, s.repeats),
         median([&] { nn::multiply(x, m); }, s.repeats), flop);
  report("first_layer_gradient", s,
         median([&] { at::mm_out(out, nn::densify(x, at::kFloat).t(), y); }, s.repeats),
         median([&] { nn::multiply_transposed(x, y, out); }, s.repeats), flop);
}

void gene_products(const Shape& s) {
  const auto x = cells(s);
  const auto l = s.latent;
  const auto weight = [&](std::int64_t rows, std::int64_t columns) {
    return at::randn({rows, columns}).mul_(0.01).set_requires_grad(true);
  };
  std::vector<nn::GeneWeight> decoding = {{weight(l, s.genes)}}, encoding;
  for (std::int64_t f = 0; f < s.fields; ++f) {
    decoding.push_back({weight(s.genes, l), true});
    encoding.push_back({weight(l, s.genes)});
  }
  encoding.push_back({weight(s.judge, s.genes), false, true});
  nn::GeneTables tables;
  const auto k = (s.fields + 1) * l, n = k + s.fields * l + s.judge;
  const auto d = at::randn({s.genes, n}), g = at::randn({k, n});
  const auto plain = [&] {  // the two products and the three of backward, without symmetry
    at::mm(d.slice(1, 0, k).t(), d);
    at::mm(d, g.t());
    at::mm(d.slice(1, 0, k), g);
  };
  const auto fast = [&] {
    const auto products = nn::gene_products(x, decoding, encoding, {}, tables);
    auto loss = at::zeros({});
    for (const auto& part : products.gram) loss = loss + part.sum();
    for (const auto& part : products.expression) loss = loss + part.sum();
    loss.backward();
  };
  report(
      "gene_products", s, median(plain, s.repeats), median(fast, s.repeats),
      2.0 * static_cast<double>(s.genes * (k * (k / 2 + n - k) + n * k + k * (n - k - s.judge))));
}

void context_networks(const Shape& s) {
  nn::FfnPool pool{nn::FfnKind::kMlp, {}, {}, {}, {}};
  for (auto* w : {&pool.weight1, &pool.weight2})
    *w = at::randn({s.contexts, s.latent, s.latent}).set_requires_grad(true);
  for (auto* b : {&pool.bias1, &pool.bias2})
    *b = at::randn({s.contexts, s.latent}).set_requires_grad(true);
  const auto context = at::randint(s.contexts, {s.cells}, at::kLong);
  const auto x = at::randn({s.cells, s.latent}).set_requires_grad(true);
  const auto routing = nn::route_plain(context);
  const auto plain = [&] {
    auto loss = at::zeros({});
    for (std::size_t k = 0; k < routing.context.size(); ++k) {
      const auto c = routing.context[k];
      const auto rows =
          x.index_select(0, routing.row.slice(0, routing.begin[k], routing.begin[k + 1]));
      const auto h = at::relu(at::linear(rows, pool.weight1[c], pool.bias1[c]));
      loss = loss + at::linear(h, pool.weight2[c], pool.bias2[c]).sum();
    }
    loss.backward();
  };
  report("context_networks", s, median(plain, std::min(s.repeats, 3)),
         median([&] { nn::context_ffn(x, pool, routing).sum().backward(); }, s.repeats),
         12.0 * static_cast<double>(s.cells * s.latent * s.latent));
}

void optimiser(const Shape& s) {
  models::Group group;
  group.parameters = {{"a", at::randn({s.genes, s.columns()}).set_requires_grad(true), 0.01, -1}};
  train::AdamW own(group);
  own.gradient().normal_();
  const auto value = at::randn({s.genes, s.columns()}), gradient = at::randn_like(value);
  const auto moment1 = at::zeros_like(value), moment2 = at::zeros_like(value);
  auto step = at::ones({});
  const auto plain = [&] {
    at::_fused_adamw_({value}, {gradient}, {moment1}, {moment2}, {}, {step}, 1e-3, 0.9, 0.999, 0.01,
                      1e-8, false, false);
  };
  report("adamw", s, median(plain, s.repeats), median([&] { own.step(1, {}); }, s.repeats),
         14.0 * static_cast<double>(value.numel()));
}

}  // namespace

int main(int argc, char** argv) {
  Shape shape;
  if (argc > 1 && std::strcmp(argv[1], "--quick") == 0) {
    shape.genes = 4000;
    shape.latent = 64;
    shape.repeats = 5;
  } else if (argc > 2 && std::strcmp(argv[1], "--first-layer") == 0) {
    shape.cells = std::atol(argv[2]);
  }
  sparse_products(shape);
  if (argc > 2 && std::strcmp(argv[1], "--first-layer") == 0) return 0;
  gene_products(shape);
  context_networks(shape);
  optimiser(shape);
}
