#include "infer/perturbation_moves.h"

#include <algorithm>

#include "base/error.h"

namespace cellmill::infer {
namespace {

using Tokens = std::vector<std::int32_t>;
using Places = std::vector<std::int64_t>;

std::int64_t size_of(const Tokens& tokens) { return static_cast<std::int64_t>(tokens.size()); }

/// Genes put at places of their own among others, which fill the rest in order.
struct Arrangement {
  Tokens genes;
  Places places;  ///< of the perturbed ones, rising
};

Arrangement put_in_front(std::span<const std::int32_t> moved, const Tokens& rest) {
  Arrangement out{{moved.begin(), moved.end()}, {}};
  for (std::size_t i = 0; i < moved.size(); ++i) out.places.push_back(static_cast<std::int64_t>(i));
  out.genes.insert(out.genes.end(), rest.begin(), rest.end());
  return out;
}

Arrangement put_at_quarters(std::span<const std::int32_t> body, Places ranks, const Tokens& rest,
                            const MoveRules& rules) {
  const auto count = static_cast<std::int64_t>(body.size());
  const auto moved = static_cast<std::int64_t>(ranks.size());
  const auto target = [&](std::int64_t rank) {
    return shifted_rank(rank, count, rules.move, rules.shift);
  };
  std::sort(ranks.begin(), ranks.end());
  std::stable_sort(ranks.begin(), ranks.end(),
                   [&](auto a, auto b) { return target(a) < target(b); });
  Arrangement out{Tokens(body.size(), -1), {}};
  for (std::int64_t i = 0; i < moved; ++i) {
    const auto behind = i == 0 ? 0 : out.places.back() + 1;
    out.places.push_back(std::max(target(ranks[static_cast<std::size_t>(i)]), behind));
  }
  for (std::int64_t i = 0; i < moved; ++i) {
    auto& place = out.places[static_cast<std::size_t>(i)];
    place = std::min(place, count - moved + i);
    out.genes[static_cast<std::size_t>(place)] =
        body[static_cast<std::size_t>(ranks[static_cast<std::size_t>(i)])];
  }
  auto next = rest.begin();
  for (std::int32_t& gene : out.genes)
    if (gene < 0) gene = *next++;
  return out;
}

/// The special tokens around `genes`, and every place that is no gene to compare.
void enclose(std::span<const std::int32_t> cell, const MoveRules& rules, Tokens& genes,
             Places& left_out) {
  if (!rules.special_tokens) return;
  genes.insert(genes.begin(), cell.front());
  genes.push_back(cell.back());
  for (std::int64_t& place : left_out) ++place;
  left_out.insert(left_out.begin(), 0);
  left_out.push_back(size_of(genes) - 1);
}

}  // namespace

Move move_named(const std::string& name) {
  if (name == "delete") return Move::kDelete;
  if (name == "overexpress") return Move::kOverexpress;
  if (name == "inhibit") return Move::kInhibit;
  if (name == "activate") return Move::kActivate;
  throw InternalError("no move is named " + name);
}

std::int64_t shifted_rank(std::int64_t rank, std::int64_t genes, Move move, std::int64_t shift) {
  const std::int64_t quarter = 1 + 4 * rank / genes;
  const std::int64_t goal = move == Move::kActivate ? quarter - shift : quarter + shift;
  if (goal < 1) return 0;
  if (goal > 4) return genes - 1;
  return (2 * goal - 1) * genes / 8;
}

std::optional<Perturbed> perturb(std::span<const std::int32_t> cell,
                                 std::span<const std::int32_t> genes, const MoveRules& rules) {
  const std::size_t special = rules.special_tokens ? 1 : 0;
  if (cell.size() < 2 * special) return std::nullopt;
  const auto body = cell.subspan(special, cell.size() - 2 * special);
  Places ranks;
  for (const std::int32_t gene : genes) {
    const auto found = std::find(body.begin(), body.end(), gene);
    if (found != body.end())
      ranks.push_back(found - body.begin());
    else if (rules.move != Move::kOverexpress)
      return std::nullopt;
  }
  std::vector<bool> moved(body.size(), false);
  for (const std::int64_t rank : ranks) moved[static_cast<std::size_t>(rank)] = true;

  const auto others = static_cast<std::int64_t>(body.size() - ranks.size());
  std::int64_t room = others;
  if (rules.move == Move::kOverexpress)
    room =
        std::min(others, rules.max_length - static_cast<std::int64_t>(genes.size() + 2 * special));
  if (room <= 0) return std::nullopt;
  Tokens rest;
  Perturbed out;
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (moved[i])
      out.original_left_out.push_back(size_of(out.original));
    else if (size_of(rest) < room)
      rest.push_back(body[i]);
    else
      continue;
    out.original.push_back(body[i]);
  }

  Arrangement arranged;
  if (rules.move == Move::kDelete)
    arranged.genes = rest;
  else if (rules.move == Move::kOverexpress)
    arranged = put_in_front(genes, rest);
  else
    arranged = put_at_quarters(body, ranks, rest, rules);
  out.tokens = std::move(arranged.genes);
  out.left_out = std::move(arranged.places);
  enclose(cell, rules, out.original, out.original_left_out);
  enclose(cell, rules, out.tokens, out.left_out);
  return out;
}

}  // namespace cellmill::infer
