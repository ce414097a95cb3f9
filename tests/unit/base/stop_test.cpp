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

CATCH_TEST_CASE("a SIGUSR1 from before is heard as soon as somebody listens", "[stop]") {
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &usr1, nullptr);
  std::raise(SIGUSR1);
  CATCH_CHECK(stop_requested() == 0);
  install_stop_signals();
  CATCH_CHECK(stop_requested() == SIGUSR1);
  clear_stop_request();
}
