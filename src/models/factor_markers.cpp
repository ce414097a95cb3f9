#include "models/factor_markers.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace cellmill::models {
namespace {

constexpr double kLeastVariance = 0.1;

}  // namespace

/// [words + 1, genes + 1]: a word's sums of y by gene and, last, its cells; last row: squares of y.
std::int64_t marker_sums_size(std::int64_t words, std::int64_t genes) {
  return (words + 1) * (genes + 1);
}

void add_marker_sums(at::Tensor sums, const nn::Csr& y, const at::Tensor& word) {
  const auto columns = y.columns + 1, last = sums.numel() - columns;
  const auto counted = word.masked_select(word >= 0);
  sums.index_add_(0, counted * columns + y.columns, at::ones_like(counted, sums.options()));
  const auto of_entry = word.index_select(0, nn::entry_rows(y));
  const auto known = (of_entry >= 0).nonzero().squeeze(1);
  const auto gene = y.indices.to(at::kLong).index_select(0, known);
  const auto value = y.values.index_select(0, known).to(at::kDouble);
  sums.index_add_(0, of_entry.index_select(0, known) * columns + gene, value);
  sums.index_add_(0, gene + last, value.square());
}

at::Tensor chosen_markers(const at::Tensor& sums, std::int64_t genes, std::int64_t count) {
  const auto table = sums.view({-1, genes + 1});
  const auto words = table.size(0) - 1;
  const auto by_word = table.narrow(0, 0, words);
  const auto cells = by_word.select(1, genes).unsqueeze(1), of_gene = by_word.narrow(1, 0, genes);
  const auto mean = of_gene / at::clamp_min(cells, 1);
  const auto n = cells.sum(), seen = (cells > 0).sum();
  const auto whole = of_gene.sum(0) / at::clamp_min(n, 1);
  const auto squares = table[words].narrow(0, 0, genes);
  const auto between = (cells * (mean - whole).square()).sum(0) / at::clamp_min(seen - 1, 1);
  const auto within =
      at::clamp_min(squares - (cells * mean.square()).sum(0), 0) / at::clamp_min(n - seen, 1);
  const auto varies = squares / at::clamp_min(n, 1) - whole.square() > kLeastVariance;
  const auto f = (between / at::clamp_min(within, 1e-12)).masked_fill(varies.logical_not(), -1);
  const auto [largest, place] = f.topk(std::min(count, genes));
  const auto taken = place.masked_select(largest > 0);
  return at::zeros({genes}, sums.options().dtype(at::kBool)).index_fill_(0, taken, 1);
}

}  // namespace cellmill::models
