#include "comm/world.h"

#include <mutex>

#include "base/log.h"
#include "comm/failure.h"
#include "comm/host_memory.h"
#include "comm/launch.h"

namespace cellmill::comm {
namespace {

struct Surroundings {
  std::mutex mutex;
  std::string phase = "starting", folder;
};

Surroundings& surroundings() {
  static Surroundings s;
  return s;
}

void report(const Failure& failure) {
  log::last_words(last_words(failure));
  std::scoped_lock lock(surroundings().mutex);
  if (!surroundings().folder.empty()) write_failure_file(surroundings().folder, failure);
}

Failure describe_here(const World& world, std::exception_ptr error) {
  Failure failure = describe(error);
  if (failure.rank < 0) failure.rank = world.rank;
  failure.size = world.size;
  std::scoped_lock lock(surroundings().mutex);
  failure.phase = surroundings().phase;
  return failure;
}

bool thrown_by_agree(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const SharedError&) {
    return true;
  } catch (...) {
    return false;
  }
}

int fail(const World& world, Launch& launch, std::exception_ptr error) {
  const Failure failure = describe_here(world, error);
  const int code = static_cast<int>(failure.code);
  // The patience is the price of one message instead of one a rank where all fail alike.
  const double patience = thrown_by_agree(error) ? 10 : 2;
  if (world.size > 1 && (failure.code == Exit::kPeerLost || !launch.all_failed(patience))) {
    report(failure);
    launch.abort(code);
  }
  const Failure first = Failure::decode(launch.first_words(failure.encode()));
  if (world.rank == 0)
    report(failure);
  else if (first.message != failure.message)
    log::last_words(last_words(failure));
  launch.finish(static_cast<int>(first.code));
  return static_cast<int>(first.code);
}

}  // namespace

void set_phase(const std::string& phase) {
  std::scoped_lock lock(surroundings().mutex);
  surroundings().phase = phase;
}

void set_failure_folder(const std::string& folder) {
  std::scoped_lock lock(surroundings().mutex);
  surroundings().folder = folder;
}

int run_world(int argc, char** argv, const std::function<int(World&)>& body) {
  keep_host_memory();
  World world;
  Launch launch;
  world.host = host_name();
  int code = 0;
  try {
    launch.start(argc, argv, world);
    code = body(world);
    set_phase("closing the world");
    if (world.device_world) world.device_world->close();
    world.host_world->close();
    launch.finish(code);
  } catch (...) {
    code = fail(world, launch, std::current_exception());
  }
  log::flush();
  return code;
}

}  // namespace cellmill::comm
