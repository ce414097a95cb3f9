#include "base/stop.h"

#include <catch2/catch.hpp>
#include <csignal>

using namespace cellmill;

CATCH_TEST_CASE("signals only set a flag", "[stop]") {
  install_stop_signals();
  clear_stop_request();
  CATCH_CHECK(stop_requested() == 0);
  for (const int signal : {SIGUSR1, SIGTERM}) {
    std::raise(signal);
    CATCH_CHECK(stop_requested() == signal);
  }
  clear_stop_request();
  CATCH_CHECK(stop_requested() == 0);
}
