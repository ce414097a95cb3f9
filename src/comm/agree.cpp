#include "comm/communicator.h"
#include "comm/failure.h"

namespace cellmill::comm {

void agree(Communicator& world, const std::function<void()>& phase) {
  if (world.size() == 1) return phase();
  std::string mine;
  try {
    phase();
  } catch (const SharedError&) {
    throw;  // a nested agree: all ranks are here
  } catch (...) {
    mine = describe(std::current_exception()).encode();
  }
  const std::vector<std::string> all = world.gather_texts(mine);
  for (int rank = 0; rank < world.size(); ++rank) {
    if (all[rank].empty()) continue;
    Failure failure = Failure::decode(all[rank]);
    failure.rank = rank;
    failure.message = "rank " + std::to_string(rank) + ": " + failure.message;
    throw SharedError(failure);
  }
}

}  // namespace cellmill::comm
