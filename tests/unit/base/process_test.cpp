#include "base/process.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

CATCH_TEST_CASE("a process knows how long it has lived") {
  const double before = cellmill::process_age();
  CATCH_CHECK(before >= 0);
  CATCH_CHECK(before < 3600);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CATCH_CHECK(cellmill::process_age() - before == Approx(0.05).margin(0.04));
}

CATCH_TEST_CASE("another program is run to its end") {
  CATCH_CHECK(cellmill::run_program({"sh", "-c", "exit 7"}) == 7);
  CATCH_CHECK(cellmill::run_program({"sh", "-c", "kill -9 $$"}) == 137);
  CATCH_CHECK(cellmill::run_program({"no-such-program-here"}) == cellmill::kNotFound);
}
