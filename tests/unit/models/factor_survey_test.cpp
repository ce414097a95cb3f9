// What the survey of the training cells decides: rare categories, markers, and (by an evaluation)
// temperatures.
#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "base/error.h"
#include "models/factor_markers.h"
#include "models/factor_model.h"

using namespace cellmill;

namespace {

constexpr std::int64_t kGenes = 12, kCells = 40;

data::Vocabulary vocabulary() {
  data::Vocabulary v{{{"cell_type", {"a", "b|a", "c", "d"}}, {"assay", {"x", "y"}}}, {}};
  for (int g = 0; g < kGenes; ++g) v.genes.push_back("g" + std::to_string(g));
  return v;
}

/// Types 0, 1 and 3 by turns, type 2 once; gene 5 tells type 3, gene 8 the assay.
data::Batch cells() {
  at::manual_seed(6);
  const auto number = at::arange(kCells);
  const auto type = at::tensor({0, 1, 3}, at::kLong).index_select(0, number.remainder(3));
  const auto assay = number.remainder(2);
  type[4] = 2;
  auto counts = at::randint(2, 6, {kCells, kGenes}, at::kFloat);
  counts.select(1, 5).mul_(type.eq(3).mul(20).add(1));
  counts.select(1, 8).mul_(assay.mul(20).add(1));
  data::Batch b;
  b.indptr = at::arange(kCells + 1) * kGenes;
  b.indices = at::arange(kGenes).repeat({kCells});
  b.values = counts.flatten();
  b.labels = at::stack({type, assay}, 1);
  b.cells = number;
  b.genes = kGenes;
  b.global_cells = kCells;
  return b;
}

models::FactorOptions small() {
  models::FactorOptions o;
  o.latents = {3, 2, 2, false};
  o.network.hidden = o.network.prior_hidden = 6;
  return o;
}

models::FactorModel surveyed(const models::FactorOptions& options) {
  models::FactorModel model(options, vocabulary(), 7, at::kDouble);
  model.survey(cells());
  model.finish_survey();
  return model;
}

}  // namespace

CATCH_TEST_CASE("categories of few training cells are as missing", "[factor_model]") {
  auto o = small();
  o.fields.min_count = 2;
  auto model = surveyed(o), all = surveyed(small());
  const auto input = model.input(cells()), whole = all.input(cells());
  // Words a, b, c, d: "c" has one cell.
  CATCH_CHECK(
      input.metadata[0].sum(0).equal(whole.metadata[0].sum(0) * at::tensor({1., 1., 0., 1.})));
  CATCH_CHECK(whole.metadata[0].sum(0)[2].item<double>() == 1);
  const auto p = model.probabilities(input)[0];
  CATCH_CHECK(p.select(1, 2).sum().item<double>() == 0);
  CATCH_CHECK(at::allclose(p.sum(1), at::ones({kCells}, at::kDouble)));
  for (const auto& term : model.losses(cells(), {}).terms)
    CATCH_CHECK(std::isfinite(term.value.item<double>()));
  models::FactorModel fresh(o, vocabulary(), 7, at::kDouble);
  bool saved = false;
  for (const auto& [name, value] : fresh.buffers()) saved |= name == "known.cell_type";
  CATCH_CHECK(saved);
}

CATCH_TEST_CASE("the encoder reads the markers of the labels, and no other gene",
                "[factor_model]") {
  auto o = small();
  o.markers.fields = {"cell_type", "assay"};
  o.markers.genes = 1;
  auto model = surveyed(o);
  const auto read = model.network().gene_variance < 1e20;
  CATCH_CHECK(read.nonzero().flatten().equal(at::tensor({5, 8}, at::kLong)));
  const auto before = model.network().encode(model.input(cells()), {});
  auto other = cells();
  auto counts = other.values.view({kCells, kGenes});
  // A swap within a cell keeps its total.
  counts.copy_(counts.index_select(1, at::tensor({1, 0, 3, 2, 4, 5, 7, 6, 8, 10, 9, 11})));
  const auto after = model.network().encode(model.input(other), {});
  CATCH_CHECK(at::allclose(before[0].mean, after[0].mean, 1e-10, 1e-10));
  counts.select(1, 5).add_(7);
  CATCH_CHECK_FALSE(at::allclose(model.network().encode(model.input(other), {})[0].mean,
                                 before[0].mean, 1e-3, 1e-3));
  o.markers.fields = {"cell_typ"};
  CATCH_CHECK_THROWS_WITH(surveyed(o), Catch::Contains("no category field 'cell_typ'"));
}

CATCH_TEST_CASE("markers are the largest F statistics, in parts", "[factor_model]") {
  at::manual_seed(8);
  const auto word = at::arange(30).remainder(3).masked_fill(at::arange(30) < 6, -1);
  auto y = at::rand({30, 4}, at::kDouble) + 0.5;
  y.select(1, 1) += 2 * word;
  y.select(1, 3) += word;
  y.select(1, 2).fill_(1.5);
  const auto csr = [&](std::int64_t begin, std::int64_t end) {
    return nn::Csr{at::arange(end - begin + 1) * 4, at::arange(4).repeat({end - begin}),
                   y.slice(0, begin, end).flatten(), 4};
  };
  const auto sums = at::zeros({models::marker_sums_size(3, 4)}, at::kDouble);
  models::add_marker_sums(sums, csr(0, 11), word.slice(0, 0, 11));
  models::add_marker_sums(sums, csr(11, 30), word.slice(0, 11, 30));
  const auto chosen = [&](std::int64_t count) {
    return models::chosen_markers(sums, 4, count).nonzero().flatten();
  };
  CATCH_CHECK(chosen(1).equal(at::tensor({1}, at::kLong)));
  CATCH_CHECK(chosen(2).equal(at::tensor({1, 3}, at::kLong)));
  CATCH_CHECK(models::chosen_markers(sums, 4, 4)[2].item<bool>() == false);  // does not vary
}

CATCH_TEST_CASE("a temperature divides the logits, and is saved", "[factor_model]") {
  auto model = surveyed(small());
  const auto input = model.input(cells());
  const auto plain = model.probabilities(input)[1];
  model.set_temperature(1, 2);
  CATCH_CHECK(at::allclose(model.probabilities(input)[1], at::softmax(at::log(plain) / 2, 1)));
  at::Tensor saved;
  for (const auto& [name, value] : model.buffers())
    if (name == "temperatures") saved = value;
  CATCH_CHECK(saved.equal(at::tensor({1., 2.}, at::kDouble)));
}
