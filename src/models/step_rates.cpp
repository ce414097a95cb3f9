#include "models/step_rates.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "base/stopwatch.h"
#include "nn/huge_pages.h"
#include "nn/sparse.h"

namespace cellmill::models {
namespace {

/// Median seconds of `work`, whose result is asked for so that a device has done it.
double median_seconds(const std::function<at::Tensor()>& work) {
  constexpr double kEnough = 0.25;
  const auto once = [&] {
    const Stopwatch watch;
    work().flatten()[0].item<float>();
    return watch.seconds();
  };
  once();
  std::vector<double> times;
  const Stopwatch all;
  while (times.size() < 3 || (times.size() < 50 && all.seconds() < kEnough))
    times.push_back(once());
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

/// The three products of a layer over genes: cells to codes, codes to cells, the weights' gradient.
double product_flops(const RateShape& s, at::TensorOptions options) {
  const auto w = at::rand({s.genes, s.columns}, options);
  auto x = at::rand({s.cells, s.genes}, options), h = at::empty({s.cells, s.columns}, options),
       gradient = at::empty_like(w);
  const double seconds = median_seconds([&] {
    at::mm_out(h, x, w);
    at::mm_out(x, h, w.t());
    at::mm_out(gradient, x.t(), h);
    return gradient;
  });
  return 2.0 * 3 * static_cast<double>(s.cells * s.genes * s.columns) / seconds;
}

/// The Gram of the weights, and its gradient.
double gram_flops(const RateShape& s, at::TensorOptions options) {
  const auto w = at::rand({s.genes, s.columns}, options);
  auto gram = at::empty({s.columns, s.columns}, options), gradient = at::empty_like(w);
  const double seconds = median_seconds([&] {
    at::mm_out(gram, w.t(), w);
    at::mm_out(gradient, w, gram);
    return gradient;
  });
  return 2.0 * 2 * static_cast<double>(s.columns * s.genes * s.columns) / seconds;
}

double sparse_flops(const RateShape& s, at::TensorOptions options) {
  const auto per_cell = std::min(s.nonzeros, s.genes);
  const auto stride = s.genes / per_cell;
  const auto integer = at::dtype(at::kLong);
  auto columns =
      at::arange(per_cell, integer) * stride + at::randint(0, stride, {s.cells, per_cell}, integer);
  const nn::Csr x{(at::arange(s.cells + 1, integer) * per_cell).to(options.device()),
                  columns.flatten().to(at::kInt).to(options.device()),
                  at::rand({s.cells * per_cell}, options), s.genes};
  auto w = nn::huge_empty({s.genes, s.columns}, options),
       gradient = nn::huge_empty({s.genes, s.columns}, options);
  w.uniform_();
  const double seconds = median_seconds([&] {
    nn::multiply_transposed(x, nn::multiply(x, w), gradient);
    return gradient;
  });
  return 4.0 * static_cast<double>(s.cells * per_cell * s.columns) / seconds;
}

}  // namespace

StepRates measure_step_rates(RateShape shape, c10::Device device,
                             const std::function<void()>& begin) {
  const at::NoGradGuard no_gradients;
  std::int64_t floats = std::int64_t{1} << 28;
  auto weights = shape;
  if (device.is_cpu()) {
    const auto genes = std::min<std::int64_t>(shape.genes, 20000);
    shape.nonzeros = std::max<std::int64_t>(1, shape.nonzeros * genes / shape.genes);
    shape.genes = genes;
    shape.cells = std::min<std::int64_t>(shape.cells, 1024);
    weights = shape;
    weights.columns = std::min<std::int64_t>(shape.columns, 640);
    floats = std::int64_t{1} << 26;
  }
  const auto options = at::dtype(at::kFloat).device(device);
  StepRates rates;
  const auto measure = [&](double& rate, const auto& of, const auto&... what) {
    begin();
    rate = of(what...);
  };
  measure(rates.float32_flops, product_flops, weights, options);
  if (shape.bfloat16)
    measure(rates.bfloat16_flops, product_flops, weights, options.dtype(at::kBFloat16));
  measure(rates.gram_flops, gram_flops, weights, options);
  measure(rates.sparse_flops, sparse_flops, shape, options);
  begin();
  const auto from = at::zeros({floats}, options);
  auto to = at::empty_like(from);
  rates.copy_bytes =
      8.0 * static_cast<double>(floats) / median_seconds([&] { return to.copy_(from); });
  return rates;
}

}  // namespace cellmill::models
