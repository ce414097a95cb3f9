#pragma once
// Who holds a world of ranks up, from what their heartbeats said: a pure function, so that it can
// be tried on any story. A collective ends for all once the last rank has come, so whoever stands
// still is named by the number of collectives entered: the rank that has entered fewest has not
// come to where the others wait.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cellmill::comm {

/// What is known of one rank.
struct RankState {
  bool heard = false;  ///< ever; a rank that never was is not judged
  bool left = false;   ///< it said that it ends
  bool dead = false;   ///< its process is gone, and it did not say so
  double silent = 0;   ///< seconds since the last heartbeat
  // from that:
  bool waiting = false;  ///< in a collective
  double standing = 0;   ///< seconds since its last sign of progress
  double limit = 0;      ///< seconds that its phase may stand; 0: for ever
  std::uint64_t collectives = 0;
};

struct Verdict {
  enum class Kind { kDead, kSilent, kStands, kAllWait };
  int rank = 0;
  Kind kind = Kind::kDead;
  double seconds = 0;  ///< silent or standing
  bool operator==(const Verdict&) const = default;
};

/// The rank that ends the world, or nothing while all may go on. A death counts at once; silence
/// and standing still count from the rank's own limit on. If all wait for each other, the one
/// behind is named, or rank 0 for all where none is. Once a rank has left, the world is ending by
/// itself: deaths are its doing, and the others get 15 s more.
std::optional<Verdict> judge(const std::vector<RankState>& ranks);

/// "rank 2 of 4 has stood still for 31 s (limit in this phase: 30 s) while the others wait for it".
/// `state`: what its host says of it, or "".
std::string text_of(const Verdict& verdict, double limit, const std::string& state);
std::string hint_for(const Verdict& verdict);

/// Whether `rank` is the one that judges: the lowest that neither left nor died nor has been silent
/// for longer than its limit and `patience` seconds. Ranks 0 and 1 hear everybody, the others these
/// two alone; so rank 1 judges where rank 0 cannot, and the others where both cannot.
bool judges(int rank, const std::vector<RankState>& ranks, double patience);

}  // namespace cellmill::comm
