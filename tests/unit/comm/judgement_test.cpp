#include "comm/judgement.h"

#include <catch2/catch.hpp>

using namespace cellmill::comm;
using Kind = Verdict::Kind;

namespace {

/// A rank that was heard just now, in its `collectives`-th collective or at work after it.
RankState rank(std::uint64_t collectives, bool waiting, double standing) {
  RankState r;
  r.heard = true;
  r.collectives = collectives;
  r.waiting = waiting;
  r.standing = standing;
  r.limit = 30;
  return r;
}

RankState at_work(double standing) { return rank(7, false, standing); }
RankState in_wait(double standing) { return rank(8, true, standing); }

}  // namespace

CATCH_TEST_CASE("nobody is blamed while the limit is not over", "[judgement]") {
  CATCH_CHECK(!judge({}));
  CATCH_CHECK(!judge({at_work(29)}));
  CATCH_CHECK(!judge({in_wait(29), in_wait(29), at_work(29.9)}));
  CATCH_CHECK(!judge({in_wait(500), in_wait(500), at_work(3)}));  // it is getting on, slowly
}

CATCH_TEST_CASE("who works on while the others wait is named, not they", "[judgement]") {
  CATCH_CHECK(judge({in_wait(40), at_work(31), in_wait(45)}) == Verdict{1, Kind::kStands, 31});
  CATCH_CHECK(judge({at_work(31)}) == Verdict{0, Kind::kStands, 31});
}

CATCH_TEST_CASE("where collectives are queued, the rank behind is named, not who noticed first",
                "[judgement]") {
  // Ranks over NCCL wait at work, after the collectives that they have queued.
  CATCH_CHECK(judge({rank(9, false, 31), rank(9, false, 31), rank(7, false, 20)}) ==
              Verdict{2, Kind::kStands, 20});
}

CATCH_TEST_CASE("a limit of 0 lets a rank stand for ever", "[judgement]") {
  auto patient = at_work(1e6);
  patient.limit = 0;
  CATCH_CHECK(!judge({in_wait(1e6), patient}));
  patient.silent = 1e6;
  CATCH_CHECK(!judge({in_wait(1e6), patient}));
}

CATCH_TEST_CASE("silence counts from the limit of the phase, also in a collective", "[judgement]") {
  auto stopped = in_wait(0);
  stopped.silent = 31;
  CATCH_CHECK(judge({in_wait(31), stopped, in_wait(31)}) == Verdict{1, Kind::kSilent, 31});
  stopped.silent = 29;
  CATCH_CHECK(!judge({in_wait(29), stopped, in_wait(29)}));
}

CATCH_TEST_CASE("a rank that was never heard, or has left, is not judged", "[judgement]") {
  RankState behind_a_firewall;
  behind_a_firewall.silent = 1000;
  CATCH_CHECK(!judge({at_work(1), behind_a_firewall}));
  auto ended = at_work(1000);
  ended.left = ended.dead = true;
  CATCH_CHECK(!judge({at_work(1), ended}));
}

CATCH_TEST_CASE("a death counts at once, before any hang", "[judgement]") {
  auto dead = at_work(0);
  dead.dead = true;
  CATCH_CHECK(judge({at_work(100), in_wait(0), dead}) == Verdict{2, Kind::kDead, 0});
}

CATCH_TEST_CASE("where a rank ends by itself, what dies after it is no cause", "[judgement]") {
  auto failed = at_work(0), killed = in_wait(0);
  failed.left = killed.dead = true;
  CATCH_CHECK(!judge({in_wait(0), failed, killed}));
  CATCH_CHECK(!judge({in_wait(44), failed, in_wait(44)}));
  CATCH_CHECK(judge({in_wait(46), failed, in_wait(46)}));
}

CATCH_TEST_CASE("if all wait, the one in the earlier collective is named", "[judgement]") {
  CATCH_CHECK(judge({in_wait(31), in_wait(31)}) == Verdict{0, Kind::kAllWait, 31});
  CATCH_CHECK(judge({rank(9, true, 31), rank(8, true, 32)}) == Verdict{1, Kind::kAllWait, 32});
  CATCH_CHECK(!judge({in_wait(31), in_wait(29)}));
}

CATCH_TEST_CASE("rank 0 judges; then rank 1; then everybody", "[judgement]") {
  std::vector<RankState> ranks(4, at_work(0));
  const auto who = [&] {
    std::vector<int> judging;
    for (int r = 0; r < 4; ++r)
      if (judges(r, ranks, 2)) judging.push_back(r);
    return judging;
  };
  CATCH_CHECK(who() == std::vector<int>{0});
  ranks[0].silent = 31;  // rank 0 itself, if it lives, is to act first
  CATCH_CHECK(who() == std::vector<int>{0});
  ranks[0].silent = 33;
  CATCH_CHECK(who() == std::vector<int>{0, 1});
  ranks[1].dead = true;
  CATCH_CHECK(who() == std::vector<int>{0, 1, 2, 3});
}

CATCH_TEST_CASE("a verdict says who, for how long, and what its host knows", "[judgement]") {
  CATCH_CHECK(text_of({2, Kind::kStands, 31.2}, 30, "") ==
              "rank 2 hangs: no progress for 31 s (limit in this phase: 30 s)");
  CATCH_CHECK(text_of({2, Kind::kSilent, 31.2}, 30, "state T (stopped)") ==
              "rank 2 hangs: no heartbeat for 31 s (limit in this phase: 30 s); its host says: "
              "state T (stopped)");
  CATCH_CHECK_THAT(text_of({2, Kind::kSilent, 31.2}, 30, ""),
                   Catch::EndsWith("its host or the network to it does not answer"));
  CATCH_CHECK(text_of({1, Kind::kDead, 0}, 30, "") ==
              "rank 1 is gone: killed, or it ended without a word");
}
