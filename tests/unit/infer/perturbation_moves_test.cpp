#include "infer/perturbation_moves.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>

#include "base/random.h"

namespace cellmill::infer {
namespace {

using Tokens = std::vector<std::int32_t>;
using Places = std::vector<std::int64_t>;

Perturbed done(const Tokens& cell, const Tokens& genes, MoveRules rules) {
  const auto out = perturb(cell, genes, rules);
  CATCH_REQUIRE(out);
  return *out;
}

Tokens without(const Tokens& tokens, const Places& places) {
  Tokens out;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (std::find(places.begin(), places.end(), static_cast<std::int64_t>(i)) == places.end())
      out.push_back(tokens[i]);
  return out;
}

}  // namespace

CATCH_TEST_CASE("a deleted gene is out of both sequences") {
  const auto out = done({10, 11, 12, 13}, {12}, {Move::kDelete});
  CATCH_CHECK(out.tokens == Tokens{10, 11, 13});
  CATCH_CHECK(out.left_out.empty());
  CATCH_CHECK(out.original == Tokens{10, 11, 12, 13});
  CATCH_CHECK(out.original_left_out == Places{2});
}

CATCH_TEST_CASE("a group is deleted together, and only where all of it is") {
  CATCH_CHECK(done({10, 11, 12, 13}, {13, 10}, {Move::kDelete}).tokens == Tokens{11, 12});
  CATCH_CHECK_FALSE(perturb(Tokens{10, 11, 12}, Tokens{10, 99}, {Move::kDelete}));
}

CATCH_TEST_CASE("nothing is left to compare: no perturbation") {
  CATCH_CHECK_FALSE(perturb(Tokens{10}, Tokens{10}, {Move::kDelete}));
  CATCH_CHECK_FALSE(perturb(Tokens{}, Tokens{10}, {Move::kOverexpress}));
  CATCH_CHECK_FALSE(perturb(Tokens{2, 10, 3}, Tokens{10}, {Move::kDelete, 1, 8, true}));
}

CATCH_TEST_CASE("special tokens stay where they are and are compared with nothing") {
  const auto out = done({2, 10, 11, 12, 3}, {12}, {Move::kOverexpress, 1, 8, true});
  CATCH_CHECK(out.tokens == Tokens{2, 12, 10, 11, 3});
  CATCH_CHECK(out.left_out == Places{0, 1, 4});
  CATCH_CHECK(out.original_left_out == Places{0, 3, 4});
}

CATCH_TEST_CASE("overexpressed genes stand in front in the order given, absent ones too") {
  const auto out = done({10, 11, 12}, {99, 11}, {Move::kOverexpress, 1, 8});
  CATCH_CHECK(out.tokens == Tokens{99, 11, 10, 12});
  CATCH_CHECK(out.left_out == Places{0, 1});
  CATCH_CHECK(out.original == Tokens{10, 11, 12});
  CATCH_CHECK(out.original_left_out == Places{1});
}

CATCH_TEST_CASE("what an inserted gene pushes out is cut from the original, too") {
  const auto v1 = done({10, 11, 12}, {99}, {Move::kOverexpress, 1, 3});
  CATCH_CHECK(v1.tokens == Tokens{99, 10, 11});
  CATCH_CHECK(v1.original == Tokens{10, 11});
  const auto v2 = done({2, 10, 11, 12, 3}, {99}, {Move::kOverexpress, 1, 5, true});
  CATCH_CHECK(v2.tokens == Tokens{2, 99, 10, 11, 3});
  CATCH_CHECK(v2.original == Tokens{2, 10, 11, 3});
  CATCH_CHECK(v2.original_left_out == Places{0, 3});
  // the last gene is a perturbed one: the one before it goes
  const auto last = done({10, 11, 12}, {99, 12}, {Move::kOverexpress, 1, 3});
  CATCH_CHECK(last.tokens == Tokens{99, 12, 10});
  CATCH_CHECK(last.original == Tokens{10, 12});
  CATCH_CHECK_FALSE(perturb(Tokens{10, 11}, Tokens{97, 98, 99}, {Move::kOverexpress, 1, 3}));
}

CATCH_TEST_CASE("activate and inhibit go to the middles of quarters, front and end") {
  const auto at = [](std::int64_t rank, Move move, std::int64_t shift) {
    return shifted_rank(rank, 80, move, shift);  // quarters of 20, middles 10, 30, 50, 70
  };
  CATCH_CHECK(at(79, Move::kActivate, 1) == 50);
  CATCH_CHECK(at(40, Move::kActivate, 1) == 30);
  CATCH_CHECK(at(39, Move::kActivate, 1) == 10);
  CATCH_CHECK(at(19, Move::kActivate, 1) == 0);
  CATCH_CHECK(at(79, Move::kActivate, 2) == 30);
  CATCH_CHECK(at(79, Move::kActivate, 3) == 10);
  CATCH_CHECK(at(20, Move::kActivate, 2) == 0);
  CATCH_CHECK(at(0, Move::kInhibit, 1) == 30);
  CATCH_CHECK(at(0, Move::kInhibit, 2) == 50);
  CATCH_CHECK(at(20, Move::kInhibit, 2) == 70);
  CATCH_CHECK(at(40, Move::kInhibit, 2) == 79);
  CATCH_CHECK(at(60, Move::kInhibit, 1) == 79);
}

CATCH_TEST_CASE("moved genes land where they should") {
  Tokens cell(8);
  std::iota(cell.begin(), cell.end(), 10);
  const auto up = done(cell, {16}, {Move::kActivate, 1});  // rank 6 of 8, to the middle of Q3
  CATCH_CHECK(up.tokens == Tokens{10, 11, 12, 13, 14, 16, 15, 17});
  CATCH_CHECK(up.left_out == Places{5});
  CATCH_CHECK(up.original_left_out == Places{6});
  const auto group = done(cell, {17, 16}, {Move::kInhibit, 3});  // both to the end, order kept
  CATCH_CHECK(group.tokens == cell);
  CATCH_CHECK(group.left_out == Places{6, 7});
  const auto front = done(cell, {11, 10}, {Move::kActivate, 1});
  CATCH_CHECK(front.tokens == cell);
}

CATCH_TEST_CASE("whatever moves, the rest is the same genes in the same order") {
  using random::Use;
  for (std::uint64_t trial = 0; trial < 2000; ++trial) {
    std::uint64_t draw = 0;
    const auto below = [&](std::uint64_t n) {
      return static_cast<std::int64_t>(random::below(random::bits(Use::kTest, {trial, draw++}), n));
    };
    MoveRules rules;
    rules.move = static_cast<Move>(below(4));
    rules.shift = 1 + below(3);
    rules.special_tokens = below(2) == 1;
    rules.max_length = 6 + below(12);
    const auto special = rules.special_tokens ? 2 : 0;
    Tokens pool(24);
    std::iota(pool.begin(), pool.end(), 10);
    random::shuffle(pool, Use::kTest, trial);
    Tokens cell(pool.begin(), pool.begin() + below(rules.max_length - special + 1));
    Tokens genes;
    const auto wanted = 1 + below(4);
    for (std::int64_t i = 0; i < wanted; ++i) {
      const bool inside = rules.move != Move::kOverexpress || below(2) == 0;
      const auto gene = inside && !cell.empty() ? cell[below(cell.size())] : pool[below(24)];
      if (std::find(genes.begin(), genes.end(), gene) == genes.end()) genes.push_back(gene);
    }
    if (rules.special_tokens) {
      cell.insert(cell.begin(), 2);
      cell.push_back(3);
    }
    const auto out = perturb(cell, genes, rules);
    if (!out) continue;
    CATCH_REQUIRE(static_cast<std::int64_t>(out->tokens.size()) <= rules.max_length);
    CATCH_REQUIRE(std::is_sorted(out->left_out.begin(), out->left_out.end()));
    const Tokens same = without(out->tokens, out->left_out);
    CATCH_REQUIRE(!same.empty());
    CATCH_REQUIRE(same == without(out->original, out->original_left_out));
    for (const auto gene : genes)
      CATCH_REQUIRE(std::find(same.begin(), same.end(), gene) == same.end());
  }
}

}  // namespace cellmill::infer
