#include "infer/baselines.h"

#include <ATen/ATen.h>

#include <cmath>
#include <functional>
#include <limits>

namespace cellmill::infer {
namespace {

// Eliminating the type's intercept and product from the normal equations leaves one weight a type:
// a product under penalty P makes n1 wanted cells count as n1 P / (n1 + P).
struct RidgeType {
  double n0, n1, weight, divisor;
  at::Tensor m0, m1;  // means; undefined without cells
};

RidgeType ridge_type(const Population& source, const Population& wanted) {
  RidgeType t{source.cells, wanted.cells, 0, 0, {}, {}};
  t.weight = t.n1 * kRidgePenalty / (t.n1 + kRidgePenalty);
  t.divisor = t.n0 + t.weight + kRidgeSmall;
  if (t.n0 > 0) t.m0 = source.mean();
  if (t.n1 > 0) t.m1 = wanted.mean();
  return t;
}

at::Tensor weighted(const at::Tensor& mean, double weight, const at::Tensor& like) {
  return mean.defined() ? mean * weight : at::zeros_like(like);
}

void learn_ridge(const std::vector<Population>& source, const std::vector<Population>& wanted,
                 const at::Tensor& like, Shifts& shifts) {
  std::vector<RidgeType> types;
  for (std::size_t k = 0; k < source.size(); ++k) types.push_back(ridge_type(source[k], wanted[k]));
  at::Tensor above = at::zeros_like(like);
  double below = kRidgeSmall;
  for (const RidgeType& t : types) {
    if (t.n1 == 0) continue;
    const double f = t.weight / t.divisor;
    above += f * (weighted(t.m1, t.n0 + kRidgeSmall, like) - weighted(t.m0, t.n0, like));
    below += f * (t.n0 + kRidgeSmall);
  }
  const at::Tensor context = above / below;
  for (const RidgeType& t : types) {
    if (t.n1 == 0) {
      shifts.ridge.push_back(context);
      continue;
    }
    const at::Tensor intercept =
        (weighted(t.m0, t.n0, like) + t.weight * (t.m1 - context)) / t.divisor;
    const at::Tensor product = (t.m1 - intercept - context) * (t.n1 / (t.n1 + kRidgePenalty));
    shifts.ridge.push_back(context + product);
  }
}

Population pool(const std::vector<Population>& parts) {
  Population all;
  for (const Population& part : parts) all.add(part);
  return all;
}

// sum_k cells[k] / total * of(k), or undefined if of(k) is for a type that has cells.
at::Tensor mixture(const std::vector<double>& cells,
                   const std::function<at::Tensor(std::size_t)>& of) {
  double total = 0;
  for (double n : cells) total += n;
  at::Tensor mean;
  for (std::size_t k = 0; k < cells.size(); ++k) {
    if (cells[k] == 0) continue;
    const at::Tensor part = of(k);
    if (!part.defined()) return {};
    mean = mean.defined() ? mean + part * (cells[k] / total) : part * (cells[k] / total);
  }
  return mean;
}

}  // namespace

Shifts learn_shifts(const std::vector<Population>& source, const std::vector<Population>& wanted) {
  Shifts shifts;
  const Population all0 = pool(source), all1 = pool(wanted);
  shifts.per_type.resize(source.size());
  shifts.real.resize(source.size());
  if (all1.cells >= kMinPopulation) shifts.real_all = all1.mean();
  for (std::size_t k = 0; k < wanted.size(); ++k)
    if (wanted[k].cells >= kMinPopulation) shifts.real[k] = wanted[k].mean();
  if (all0.cells < kMinPopulation || all1.cells < kMinPopulation) return shifts;

  shifts.additive = all1.mean() - all0.mean();
  double total = 0;
  for (std::size_t k = 0; k < source.size(); ++k) {
    const double n0 = source[k].cells, n1 = wanted[k].cells;
    if (n0 < kMinPopulation || n1 < kMinPopulation) continue;
    shifts.per_type[k] = wanted[k].mean() - source[k].mean();
    const double weight = n0 * n1 / (n0 + n1);
    const at::Tensor part = shifts.per_type[k] * weight;
    shifts.adjusted = shifts.adjusted.defined() ? shifts.adjusted + part : part;
    total += weight;
  }
  if (shifts.adjusted.defined()) shifts.adjusted = shifts.adjusted / total;
  learn_ridge(source, wanted, all0.sum, shifts);
  return shifts;
}

std::vector<Prediction> predict_means(const Shifts& shifts, const at::Tensor& source_mean,
                                      const std::vector<double>& cells) {
  std::vector<Prediction> predictions{{"no change", source_mean}};
  const auto add_shift = [&](const std::string& name, const at::Tensor& shift) {
    if (shift.defined()) predictions.push_back({name, source_mean + shift});
  };
  const auto own_or = [](const std::vector<at::Tensor>& own, const at::Tensor& otherwise) {
    return [&own, otherwise](std::size_t k) { return own[k].defined() ? own[k] : otherwise; };
  };
  add_shift("additive shift", shifts.additive);
  add_shift("additive shift, adjusted", shifts.adjusted);
  if (shifts.adjusted.defined())
    add_shift("per-type shift", mixture(cells, own_or(shifts.per_type, shifts.adjusted)));
  if (!shifts.ridge.empty()) add_shift("ridge shift", mixture(cells, own_or(shifts.ridge, {})));
  const at::Tensor real = mixture(cells, own_or(shifts.real, shifts.real_all));
  if (real.defined()) predictions.push_back({"mean of real cells", real});
  return predictions;
}

Scores score(const at::Tensor& predicted, const at::Tensor& source, const at::Tensor& truth,
             const at::Tensor& top) {
  const at::Tensor moved = predicted - source, shift = truth - source, wrong = predicted - truth;
  const auto square = [](const at::Tensor& x) { return x.dot(x).item<double>(); };
  const at::Tensor a = moved - moved.mean(), b = shift - shift.mean();
  Scores scores;
  scores.cor = a.dot(b).item<double>() / (std::sqrt(square(a) * square(b)) + 1e-12);
  scores.err = square(wrong) / square(shift);
  scores.err100 = square(wrong.index_select(0, top)) / square(shift.index_select(0, top));
  return scores;
}

Scores noise_of_truth(const at::Tensor& source, const Population& truth, const at::Tensor& top) {
  const at::Tensor shift = truth.mean() - source, noise = truth.variance() / truth.cells;
  const at::Tensor shift_top = shift.index_select(0, top);
  return {
      std::numeric_limits<double>::quiet_NaN(),
      noise.sum().item<double>() / shift.dot(shift).item<double>(),
      noise.index_select(0, top).sum().item<double>() / shift_top.dot(shift_top).item<double>()};
}

at::Tensor top_genes(const Population& source, const Population& wanted) {
  const at::Tensor error =
      (source.variance() / source.cells + wanted.variance() / wanted.cells + 1e-4).sqrt();
  const at::Tensor t = (wanted.mean() - source.mean()).abs() / error;
  return std::get<1>(t.topk(std::min(kTopGenes, t.size(0))));
}

}  // namespace cellmill::infer
