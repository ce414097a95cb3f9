#include "comm/world.h"

#include <chrono>
#include <thread>

#include "base/log.h"
#include "comm/activity.h"
#include "comm/failure.h"
#include "comm/host_memory.h"
#include "comm/launch.h"
#include "comm/report.h"
#include "comm/watchdog.h"

namespace cellmill::comm {
namespace {

Failure describe_here(const World& world, std::exception_ptr error) {
  Failure failure = describe(error);
  if (failure.rank < 0) failure.rank = world.rank;
  failure.size = world.size;
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

int fail(World& world, Launch& launch, std::exception_ptr error) {
  const Failure failure = describe_here(world, error);
  const int code = static_cast<int>(failure.code);
  if (failure.code == Exit::kPeerLost && world.watchdog)
    std::this_thread::sleep_for(std::chrono::seconds(2));  // for the verdict, which knows the rank
  world.watchdog.reset();                                  // this rank does not hang, it ends
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

void watch(World& world, const WatchdogOptions& limits) {
  try {
    if (!world.watchdog) world.watchdog = std::make_shared<Watchdog>(*world.host_world);
    world.watchdog->set_limits(limits);
  } catch (const Error& e) {
    log::warn("nobody watches for hanging ranks: {}", e.what());
  }
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
    set_phase("closing the world", Phase::kClose, activity().step);
    if (world.device_world) world.device_world->close();
    world.host_world->close();
    launch.finish(code);
    world.watchdog.reset();
  } catch (...) {
    code = fail(world, launch, std::current_exception());
  }
  log::flush();
  return code;
}

}  // namespace cellmill::comm
