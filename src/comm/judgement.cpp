#include "comm/judgement.h"

#include <algorithm>
#include <tuple>

#include "base/format.h"

namespace cellmill::comm {
namespace {

constexpr double kEnding = 15;  // seconds: longer than a rank that fails waits for the others

bool counts(const RankState& r) { return r.heard && !r.left; }
bool over(double seconds, const RankState& r) { return r.limit > 0 && seconds > r.limit; }

Verdict verdict_on(int rank, const RankState& r, bool all_wait) {
  if (over(r.silent, r)) return {rank, Verdict::Kind::kSilent, r.silent};
  return {rank, all_wait ? Verdict::Kind::kAllWait : Verdict::Kind::kStands, r.standing};
}

}  // namespace

std::optional<Verdict> judge(const std::vector<RankState>& ranks) {
  bool overdue = false, all_wait = true, all_stand = true;
  int last = -1;
  const bool ending =
      std::any_of(ranks.begin(), ranks.end(), [](const RankState& r) { return r.left; });
  const double grace = ending ? kEnding : 0;
  const auto silent = [&](const RankState& r) { return over(r.silent - grace, r); };
  const auto stands = [&](const RankState& r) { return over(r.standing - grace, r); };
  const auto behind = [&](int r) {
    const auto& x = ranks[r];
    return std::tuple(x.collectives, !silent(x), x.waiting, -std::max(x.silent, x.standing));
  };
  for (int r = 0; r < static_cast<int>(ranks.size()); ++r) {
    if (!counts(ranks[r])) continue;
    if (ranks[r].dead && !ending) return Verdict{r, Verdict::Kind::kDead, 0};
    overdue |= silent(ranks[r]) || (stands(ranks[r]) && !ranks[r].waiting);
    all_wait &= ranks[r].waiting && !silent(ranks[r]);
    all_stand &= stands(ranks[r]);
    if (last < 0 || behind(r) < behind(last)) last = r;
  }
  if (last < 0 || !(overdue || (all_wait && all_stand))) return {};
  return verdict_on(last, ranks[last], all_wait);
}

std::string text_of(const Verdict& verdict, double limit, const std::string& state) {
  const auto time = fmt::format("{:.0f} s (limit in this phase: {:.0f} s)", verdict.seconds, limit);
  switch (verdict.kind) {
    case Verdict::Kind::kDead:
      return fmt::format("rank {} is gone: killed, or it ended without a word", verdict.rank);
    case Verdict::Kind::kSilent:
      return fmt::format("rank {} hangs: no heartbeat for {}; {}", verdict.rank, time,
                         state.empty() ? "its host or the network to it does not answer"
                                       : "its host says: " + state);
    case Verdict::Kind::kStands:
      return fmt::format("rank {} hangs: no progress for {}", verdict.rank, time);
    case Verdict::Kind::kAllWait:
      return fmt::format(
          "rank {} hangs: all ranks have waited for each other in a collective for {}",
          verdict.rank, time);
  }
  return {};
}

std::string hint_for(const Verdict& verdict) {
  if (verdict.kind == Verdict::Kind::kDead)
    return "its host's kernel log or the scheduler may say why (out of memory?); --resume goes on "
           "from the last checkpoint";
  return "failure.json has its stack; the limits are the section watchdog of the run file, 0 "
         "switches one off";
}

bool judges(int rank, const std::vector<RankState>& ranks, double patience) {
  for (int r = 0; r < std::min(rank, 2); ++r) {
    const auto& x = ranks[r];
    const bool away = x.left || x.dead || (x.limit > 0 && x.silent > x.limit + patience);
    if (!away) return false;
  }
  return true;
}

}  // namespace cellmill::comm
