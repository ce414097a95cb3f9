#include "infer/perturbation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "base/random.h"
#include "small_encoder.h"

namespace cellmill::infer {
namespace {

using Tokens = std::vector<std::int32_t>;

constexpr std::int64_t kTokens = 40, kLongest = 24;

data::Sequences random_cells(std::int64_t count, bool special, std::int64_t longest = kLongest) {
  data::Sequences cells;
  for (std::int64_t i = 0; i < count; ++i) {
    Tokens genes;
    for (std::int32_t g = 4; g < kTokens; ++g) genes.push_back(g);
    random::shuffle(genes, random::Use::kTest, static_cast<std::uint64_t>(i));
    genes.resize(static_cast<std::size_t>(longest - 3 * i - (special ? 2 : 0)));
    if (special) {
      genes.insert(genes.begin(), 2);
      genes.push_back(3);
    }
    cells.append(genes);
  }
  return cells;
}

at::Tensor alone(SmallEncoder& encoder, const Tokens& tokens, std::int64_t layer) {
  data::Sequences one;
  one.append(tokens);
  return encoder.encode(one, layer).to(at::kDouble);
}

double cosine(const at::Tensor& a, const at::Tensor& b) {
  return (a * b).sum().item<double>() /
         std::sqrt((a * a).sum().item<double>() * (b * b).sum().item<double>());
}

at::Tensor row_of(const at::Tensor& hidden, const Tokens& tokens, std::int32_t gene) {
  const auto at = std::find(tokens.begin(), tokens.end(), gene);
  CATCH_REQUIRE(at != tokens.end());
  return hidden[at - tokens.begin()];
}

at::Tensor mean_of(const at::Tensor& hidden, const Tokens& tokens, const Tokens& genes) {
  at::Tensor total = at::zeros({hidden.size(1)}, at::kDouble);
  for (const auto gene : genes) total += row_of(hidden, tokens, gene);
  return total / static_cast<double>(genes.size());
}

/// One variant after the other, each alone, gene by gene, by name.
void check_plainly(SmallEncoder& encoder, const PerturbationQuestion& question,
                   const PerturbationPlan& plan, const Scores& scores, const at::Tensor& states,
                   const PerturbationRules& rules) {
  std::int64_t variant = 0;
  std::size_t at = 0;
  for (std::int64_t c = 0; c < plan.cells.size(); ++c) {
    const Tokens cell(plan.cells[c].begin(), plan.cells[c].end());
    for (const auto s : perturbations_of(question, plan.sets, cell)) {
      const auto& set = plan.sets[static_cast<std::size_t>(s)];
      const auto pair = perturb(cell, set, question.rules);
      const auto is_gene = [](std::int32_t token) { return token >= 4; };
      Tokens common, before_all, after_all;
      std::copy_if(pair->original.begin(), pair->original.end(), std::back_inserter(before_all),
                   is_gene);
      std::copy_if(pair->tokens.begin(), pair->tokens.end(), std::back_inserter(after_all),
                   is_gene);
      for (const auto gene : before_all)
        if (std::find(set.begin(), set.end(), gene) == set.end()) common.push_back(gene);
      const auto before = alone(encoder, pair->original, rules.layer);
      const auto after = alone(encoder, pair->tokens, rules.layer);
      const double of_cell = rules.vector == CellVector::kCls
                                 ? cosine(before[0], after[0])
                                 : cosine(mean_of(before, pair->original, common),
                                          mean_of(after, pair->tokens, common));
      CATCH_CHECK(scores.cells[variant][0].item<double>() == Approx(of_cell).margin(2e-6));
      double total = 0;
      for (const auto gene : cell) {
        if (!is_gene(gene)) continue;
        const bool there = std::find(common.begin(), common.end(), gene) != common.end();
        const double of_gene =
            there ? cosine(row_of(before, pair->original, gene), row_of(after, pair->tokens, gene))
                  : 0;
        total += of_gene;
        if (!rules.every_gene) continue;
        if (there)
          CATCH_CHECK(scores.genes[at] == Approx(of_gene).margin(2e-6));
        else
          CATCH_CHECK(std::isnan(scores.genes[at]));
        ++at;
      }
      CATCH_CHECK(scores.cells[variant][1].item<double>() ==
                  Approx(total / static_cast<double>(common.size())).margin(2e-6));
      for (std::int64_t k = 0; k < states.size(0); ++k) {
        const bool cls = rules.vector == CellVector::kCls;
        const auto old_vector = cls ? before[0] : mean_of(before, pair->original, before_all);
        const auto new_vector = cls ? after[0] : mean_of(after, pair->tokens, after_all);
        CATCH_CHECK(
            scores.cells[variant][2 + k].item<double>() ==
            Approx(cosine(new_vector, states[k]) - cosine(old_vector, states[k])).margin(2e-6));
      }
      ++variant;
    }
  }
  CATCH_CHECK(variant == scores.cells.size(0));
  CATCH_CHECK(at == scores.genes.size());
}

PerturbationQuestion asking(Move move, bool special, Tokens genes = {}) {
  PerturbationQuestion question;
  question.rules = {move, 1, kLongest, special};
  question.genes = std::move(genes);
  return question;
}

}  // namespace

CATCH_TEST_CASE("packed variants score as each alone") {
  const bool special = GENERATE(false, true);
  const Move move = GENERATE(Move::kDelete, Move::kOverexpress, Move::kInhibit, Move::kActivate);
  const Tokens genes = GENERATE(Tokens{}, Tokens{30, 9, 17, 39});
  const CellVector vector = GENERATE(CellVector::kMean, CellVector::kCls);
  if (vector == CellVector::kCls && !special) return;
  SmallEncoder encoder(kTokens, 6, kLongest, special);
  const auto question = asking(move, special, genes);
  const auto plan = make_plan(question, random_cells(3, special), encoder.width(), 1000000);
  CATCH_REQUIRE(plan.size() > 3);
  const at::Tensor states = at::randn({2, 6}, at::kDouble);
  const PerturbationRules rules{2, 70, vector, special, true};
  const auto scores = score(encoder, question, plan, 0, plan.size(), states, rules);
  CATCH_CHECK(encoder.longest_batch <= 70);
  CATCH_CHECK(encoder.calls < plan.size());
  check_plainly(encoder, question, plan, scores, states, rules);
}

CATCH_TEST_CASE("groups and anchors score as each alone") {
  SmallEncoder encoder(kTokens, 6, kLongest, false);
  const auto cells = random_cells(4, false);
  const auto first = cells[0];
  auto together = asking(Move::kDelete, false, {first[3], first[0], first[8]});
  together.together = true;
  auto anchored = asking(GENERATE(Move::kDelete, Move::kOverexpress), false);
  anchored.anchor = first[2];
  for (const auto& question : {together, anchored}) {
    const auto plan = make_plan(question, random_cells(4, false), 6, 1000000);
    const PerturbationRules rules{1, 50, CellVector::kMean, false, true};
    const auto none = at::zeros({0, 6}, at::kDouble);
    const auto scores = score(encoder, question, plan, 0, plan.size(), none, rules);
    check_plainly(encoder, question, plan, scores, none, rules);
  }
}

CATCH_TEST_CASE("a block that begins within a cell scores the same") {
  SmallEncoder encoder(kTokens, 6, kLongest, false);
  const auto question = asking(Move::kDelete, false);
  const auto plan = make_plan(question, random_cells(3, false), 6, 200);
  CATCH_REQUIRE(plan.block_count() > 3);
  CATCH_CHECK(plan.blocks.back() == plan.size());
  const PerturbationRules rules{2, 64, CellVector::kMean, false, true};
  const auto none = at::zeros({0, 6}, at::kDouble);
  const auto whole = score(encoder, question, plan, 0, plan.size(), none, rules);
  std::size_t at = 0;
  for (std::size_t b = 0; b + 1 < plan.blocks.size(); ++b) {
    const auto part =
        score(encoder, question, plan, plan.blocks[b], plan.blocks[b + 1], none, rules);
    CATCH_CHECK(at::allclose(part.cells, whole.cells.slice(0, plan.blocks[b], plan.blocks[b + 1])));
    for (const float value : part.genes) {
      const float expected = whole.genes[at++];
      CATCH_CHECK(((std::isnan(value) && std::isnan(expected)) || value == Approx(expected)));
    }
  }
}

CATCH_TEST_CASE("a perturbation that changes nothing gives exactly 1 and costs nothing") {
  SmallEncoder encoder(kTokens, 6, kLongest, false);
  const auto cells = random_cells(1, false);
  const auto question = asking(Move::kOverexpress, false, {cells[0][0]});
  const auto plan = make_plan(question, random_cells(1, false), 6, 1000);
  const auto scores = score(encoder, question, plan, 0, 1, at::randn({1, 6}, at::kDouble), {});
  CATCH_CHECK(at::equal(scores.cells, at::tensor({1.f, 1.f, 0.f}).view({1, 3})));
  CATCH_CHECK(encoder.calls == 0);
}

CATCH_TEST_CASE("cells: those that can be asked, drawn by a seed, longest first") {
  const auto question = asking(Move::kDelete, false, {10, 11});
  CATCH_CHECK(is_askable(question, Tokens{9, 10}));
  CATCH_CHECK_FALSE(is_askable(question, Tokens{9, 12}));
  auto together = question;
  together.together = true;
  CATCH_CHECK_FALSE(is_askable(together, Tokens{9, 10}));
  CATCH_CHECK(is_askable(asking(Move::kOverexpress, false, {10}), Tokens{9}));
  CATCH_CHECK_FALSE(is_askable(asking(Move::kOverexpress, true, {10}), Tokens{2, 3}));
  CATCH_CHECK(draw_cells({0, 1, 2, 3}, {5, 9, 5, 7}, 0) == std::vector<std::int64_t>{1, 3, 0, 2});
  const auto drawn = draw_cells({0, 1, 2, 3}, {5, 9, 5, 7}, 2);
  CATCH_CHECK(drawn.size() == 2);
  CATCH_CHECK(drawn == draw_cells({0, 1, 2, 3}, {5, 9, 5, 7}, 2));
}

CATCH_TEST_CASE("all genes overexpressed: not the highest of a cell") {
  const auto plan = make_plan(asking(Move::kOverexpress, false), random_cells(1, false), 6, 1000);
  const auto sets = perturbations_of(asking(Move::kOverexpress, false), plan.sets, plan.cells[0]);
  CATCH_CHECK(static_cast<std::int64_t>(sets.size()) == plan.cells.length(0) - 1);
  for (const auto set : sets)
    CATCH_CHECK(plan.sets[static_cast<std::size_t>(set)] != GeneSet{plan.cells[0][0]});
}

}  // namespace cellmill::infer
