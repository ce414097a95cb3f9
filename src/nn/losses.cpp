#include "nn/losses.h"

#include <ATen/ATen.h>

namespace cellmill::nn {
namespace {
at::Tensor wide(const at::Tensor& t) {
  return t.scalar_type() == at::kDouble ? t : t.to(at::kFloat);
}
}  // namespace

at::Tensor cross_entropy_sum(const at::Tensor& logits, const at::Tensor& labels) {
  return at::cross_entropy_loss(wide(logits), labels, {}, at::Reduction::Sum, /*ignore_index=*/-1);
}

at::Tensor squared_error_sum(const at::Tensor& a, const at::Tensor& b) {
  return at::mse_loss(wide(a), wide(b), at::Reduction::Sum);
}

at::Tensor population_sums(const at::Tensor& x, const at::Tensor& keys, std::int64_t count) {
  const auto rows = (keys >= 0).nonzero().squeeze(1);
  const auto key = keys.index_select(0, rows);
  const auto d = wide(x.detach()).index_select(0, rows);
  auto sums = at::zeros({count, d.size(1) + 1}, d.options());
  sums.slice(1, 0, d.size(1)).index_add_(0, key, d);
  sums.select(1, d.size(1)).index_add_(0, key, at::ones({key.size(0)}, d.options()));
  return sums;
}

namespace {
/// The rows with a population, each with what of its population is not itself.
struct Counted {
  at::Tensor rows, key;  ///< places in the batch, and their populations
  at::Tensor own;        ///< their rows of x
  at::Tensor others;     ///< sums of the population without the cell, no gradient
  at::Tensor n, weight;  ///< cells of the population (0: too few), and 1 / ((n - 1) N)

  Counted(const at::Tensor& x, const at::Tensor& keys, const at::Tensor& sums) {
    const auto columns = sums.size(1) - 1;
    const auto count = sums.select(1, columns);
    const auto counted = at::where(count >= 2, count, at::zeros_like(count));
    const auto total = at::clamp_min(counted.sum(), 1);
    rows = (keys >= 0).nonzero().squeeze(1);
    key = keys.index_select(0, rows);
    n = counted.index_select(0, key);
    weight = at::where(n > 0, 1 / (at::clamp_min(n - 1, 1) * total), at::zeros_like(n));
    own = wide(x).index_select(0, rows);
    others = (sums.slice(1, 0, columns).index_select(0, key) - own).detach();
  }
};
}  // namespace

at::Tensor population_matching(const at::Tensor& residual, const at::Tensor& keys,
                               const at::Tensor& sums) {
  const Counted c(residual, keys, sums);
  const auto value = ((c.own * c.others).sum(1) * c.weight).sum();
  return 2 * value - value.detach();
}

at::Tensor population_matching(const at::Tensor& coefficients, const at::Tensor& keys,
                               const at::Tensor& sums, const FactoredMeans& means) {
  const Counted c(coefficients, keys, sums);
  const auto norms = means.norms.index_select(0, c.key);
  const auto dots = [](const at::Tensor& a, const at::Tensor& b) {  // differences of them follow
    return (a * b).sum(1, false, at::kDouble);
  };
  const auto value = [&](const at::Tensor& u, const at::Tensor& gram, const at::Tensor& products) {
    const auto mean = products.index_select(0, c.key);
    const auto product = dots(at::mm(u, gram), c.others) - (c.n - 1) * dots(u, mean) -
                         dots(c.others, mean) + (c.n - 1) * norms.to(at::kDouble);
    return (product * c.weight).sum();
  };
  // Of every pair the coefficients of both cells move, of which this sees one; D moves once.
  const auto by_cells = value(c.own, means.gram.detach(), means.products.detach());
  const auto by_means = value(c.own.detach(), means.gram, means.products);
  return (2 * by_cells + by_means - 2 * by_cells.detach()).to(coefficients.scalar_type());
}

}  // namespace cellmill::nn
