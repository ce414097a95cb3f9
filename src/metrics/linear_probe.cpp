#include "metrics/linear_probe.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace cellmill::metrics {
namespace {

/// Level l takes one cell of 4^l, so that one of them is about full for any number of cells.
constexpr std::int64_t kLevels = 8, kSlots = 2048, kFewest = 4;

std::uint64_t hash_of(std::int64_t cell) {
  return random::bits(random::Use::kProbe, {static_cast<std::uint64_t>(cell)});
}

/// [classes, width] means and [classes] sizes of the rows of each class.
std::pair<at::Tensor, at::Tensor> means(const at::Tensor& x, const at::Tensor& label,
                                        std::int64_t classes) {
  const auto count = at::bincount(label, {}, classes).to(at::kDouble);
  const auto sums = at::zeros({classes, x.size(1)}, x.options()).index_add_(0, label, x);
  return {sums / at::clamp_min(count, 1).unsqueeze(1), count};
}

/// For each row of `test` the class, one of the `fitted`, whose mean of `x` is nearest in the
/// metric of the covariance within classes.
at::Tensor predicted(const at::Tensor& x, const at::Tensor& label, const at::Tensor& test,
                     const at::Tensor& fitted) {
  const auto mean = means(x, label, fitted.size(0)).first;
  const auto rest = x - mean.index_select(0, label);
  auto covariance = at::matmul(rest.t(), rest) / x.size(0);
  covariance +=
      (1e-6 * covariance.trace() / x.size(1) + 1e-12) * at::eye(x.size(1), covariance.options());
  const auto weight = at::linalg_solve(covariance, mean.t());  // [width, classes]
  const auto offset = (mean * weight.t()).sum(1) / 2;
  return (at::matmul(test, weight) - offset)
      .masked_fill(fitted.logical_not(), -std::numeric_limits<double>::infinity())
      .argmax(1);
}

}  // namespace

LinearProbe::LinearProbe(std::int64_t width, std::int64_t fields)
    : width_(width), sample_(at::zeros({kLevels, kSlots, 1 + width + fields}, at::kDouble)) {}

void LinearProbe::update(const at::Tensor& cells, const at::Tensor& values,
                         const at::Tensor& labels) {
  const auto count = cells.size(0);
  const auto rows = at::cat(
      {at::ones({count, 1}, at::kDouble), values.to(at::kDouble), labels.to(at::kDouble)}, 1);
  const auto* cell = cells.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> row, slot;
  for (std::int64_t b = 0; b < count; ++b) {
    auto level = hash_of(cell[b]) >> 32;
    const auto place = static_cast<std::int64_t>(hash_of(cell[b]) % kSlots);
    for (std::int64_t l = 0; l < kLevels; ++l, level /= 4) {
      row.push_back(b);
      slot.push_back(l * kSlots + place);
      if (level % 4 != 0) break;
    }
  }
  sample_.view({kLevels * kSlots, -1})
      .index_add_(0, at::tensor(slot, at::kLong), rows.index_select(0, at::tensor(row, at::kLong)));
}

LinearProbe::Value LinearProbe::value(std::int64_t field, std::int64_t begin,
                                      std::int64_t count) const {
  const auto alone = sample_.select(2, 0).eq(1);  // two cells in a slot are of no use
  const auto level = alone.sum(1).argmax().item<std::int64_t>();
  const auto places = alone[level].nonzero().squeeze(1);
  const auto cells = sample_[level].index_select(0, places);
  const auto label = cells.select(1, 1 + width_ + field).to(at::kLong);
  const auto x = cells.narrow(1, 1 + begin, count);
  const auto known = label.ge(0);
  const auto rows = [&](std::int64_t half) {
    return at::logical_and(known, places.remainder(2).eq(half)).nonzero().squeeze(1);
  };
  const auto fit = rows(0), read = rows(1);
  Value value{std::nan(""), std::nan("")};
  if (fit.numel() == 0 || read.numel() == 0) return value;
  const auto classes = label.max().item<std::int64_t>() + 1;
  const auto in = [&](const at::Tensor& chosen) {
    return at::bincount(label.index_select(0, chosen), {}, classes);
  };
  const auto usable = at::minimum(in(fit), in(read)).ge(kFewest);
  const auto used = usable.sum().item<std::int64_t>();
  if (used < 2) return value;
  const auto kept = [&](const at::Tensor& chosen) {
    return chosen.masked_select(usable.index_select(0, label.index_select(0, chosen)));
  };
  const auto fitted = kept(fit), tested = kept(read);
  const auto truth = label.index_select(0, tested);
  const auto guess = predicted(x.index_select(0, fitted), label.index_select(0, fitted),
                               x.index_select(0, tested), usable);
  const auto right =
      means(guess.eq(truth).to(at::kDouble).unsqueeze(1), truth, classes).first.sum();
  value.accuracy = right.item<double>() / static_cast<double>(used);
  value.chance = 1 / static_cast<double>(used);
  return value;
}

}  // namespace cellmill::metrics
