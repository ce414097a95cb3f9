#include "comm/activity.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

using namespace cellmill::comm;

CATCH_TEST_CASE("nested collectives count as one, and their time once", "[activity]") {
  const auto before = activity();
  const double waited = seconds_waited();
  {
    const Collective outer, inner;
    CATCH_CHECK(activity().waiting);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CATCH_CHECK(!activity().waiting);
  CATCH_CHECK(activity().collectives == before.collectives + 1);
  CATCH_CHECK(activity().events > before.events);
  CATCH_CHECK(seconds_waited() - waited >= 0.02);
  CATCH_CHECK(seconds_waited() - waited < 0.04 + 0.5);
}

CATCH_TEST_CASE("phases and progress are events", "[activity]") {
  const auto before = activity();
  set_phase("step 3", Phase::kStep, 3);
  note_progress();
  const auto now = activity();
  CATCH_CHECK(now.events == before.events + 2);
  CATCH_CHECK(now.name == "step 3");
  CATCH_CHECK(now.step == 3);
  CATCH_CHECK(now.phase == Phase::kStep);
  set_phase("opening data");
  CATCH_CHECK(activity().step == -1);
}

CATCH_TEST_CASE("slow steps are those that one of a hundred exceeds", "[activity]") {
  for (int k = 0; k < 150; ++k) {
    set_phase("step", Phase::kStep, k);
    std::this_thread::sleep_for(std::chrono::milliseconds(k == 20 ? 60 : 2));
  }
  CATCH_CHECK(slow_step_seconds() >= 0.002);
  CATCH_CHECK(slow_step_seconds() < 0.05);
}
