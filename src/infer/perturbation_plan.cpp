#include "infer/perturbation_plan.h"

#include <algorithm>
#include <set>

#include "base/random.h"

namespace cellmill::infer {
namespace {

std::span<const std::int32_t> genes_of(const PerturbationQuestion& question,
                                       std::span<const std::int32_t> cell) {
  const std::size_t special = question.rules.special_tokens ? 1 : 0;
  return cell.size() < 2 * special ? cell.first(0)
                                   : cell.subspan(special, cell.size() - 2 * special);
}

bool holds(std::span<const std::int32_t> genes, std::int32_t gene) {
  return std::find(genes.begin(), genes.end(), gene) != genes.end();
}

std::vector<GeneSet> sets_of(const PerturbationQuestion& question, const data::Sequences& cells) {
  if (question.together) return {question.genes};
  GeneSet genes = question.genes;
  if (genes.empty()) {
    std::set<std::int32_t> seen;
    for (std::int64_t cell = 0; cell < cells.size(); ++cell)
      for (const std::int32_t gene : genes_of(question, cells[cell])) seen.insert(gene);
    genes.assign(seen.begin(), seen.end());
  }
  std::vector<GeneSet> sets;
  if (question.anchor >= 0) sets.push_back({question.anchor});
  for (const std::int32_t gene : genes) {
    if (gene == question.anchor) continue;
    sets.push_back({gene});
    if (question.anchor >= 0) sets.push_back({question.anchor, gene});
  }
  return sets;
}

}  // namespace

bool is_askable(const PerturbationQuestion& question, std::span<const std::int32_t> cell) {
  const auto genes = genes_of(question, cell);
  if (genes.empty() || (question.anchor >= 0 && !holds(genes, question.anchor))) return false;
  if (question.genes.empty() || question.rules.move == Move::kOverexpress) return true;
  const auto here = [&](std::int32_t gene) { return holds(genes, gene); };
  return question.together ? std::all_of(question.genes.begin(), question.genes.end(), here)
                           : std::any_of(question.genes.begin(), question.genes.end(), here);
}

std::vector<std::int32_t> perturbations_of(const PerturbationQuestion& question,
                                           const std::vector<GeneSet>& sets,
                                           std::span<const std::int32_t> cell) {
  const auto genes = genes_of(question, cell);
  const std::set<std::int32_t> present(genes.begin(), genes.end());
  const bool overexpress = question.rules.move == Move::kOverexpress;
  const bool inserts = overexpress && !question.genes.empty();
  std::vector<std::int32_t> found;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const GeneSet& set = sets[i];
    const bool can = inserts || std::all_of(set.begin(), set.end(), [&](std::int32_t gene) {
                       return present.count(gene) > 0;
                     });
    const bool rises = !overexpress || inserts || set.size() > 1 || set[0] != genes[0];
    if (can && rises && perturb(cell, set, question.rules))
      found.push_back(static_cast<std::int32_t>(i));
  }
  return found;
}

PerturbationPlan make_plan(const PerturbationQuestion& question, data::Sequences cells,
                           std::int64_t width, std::int64_t block_tokens) {
  PerturbationPlan plan;
  plan.sets = sets_of(question, cells);
  double cost = 0;
  for (std::int64_t cell = 0; cell < cells.size(); ++cell) {
    const auto count =
        static_cast<std::int64_t>(perturbations_of(question, plan.sets, cells[cell]).size());
    const auto length = static_cast<double>(cells.length(cell));
    for (std::int64_t i = 0; i < count; ++i) {
      cost += length * (1 + length / (4.0 * static_cast<double>(width)));
      if (cost < static_cast<double>(block_tokens)) continue;
      plan.blocks.push_back(plan.variants.back() + i + 1);
      cost = 0;
    }
    plan.variants.push_back(plan.variants.back() + count);
  }
  if (plan.blocks.back() < plan.size()) plan.blocks.push_back(plan.size());
  plan.cells = std::move(cells);
  return plan;
}

std::vector<std::int64_t> draw_cells(std::vector<std::int64_t> places,
                                     const std::vector<std::int32_t>& lengths, std::int64_t most) {
  if (most > 0 && static_cast<std::int64_t>(places.size()) > most) {
    random::shuffle(places, random::Use::kProbe, 42);
    places.resize(static_cast<std::size_t>(most));
  }
  std::sort(places.begin(), places.end());
  std::stable_sort(places.begin(), places.end(), [&](auto a, auto b) {
    return lengths[static_cast<std::size_t>(a)] > lengths[static_cast<std::size_t>(b)];
  });
  return places;
}

}  // namespace cellmill::infer
