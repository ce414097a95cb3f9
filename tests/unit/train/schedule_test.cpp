#include "train/schedule.h"

#include <catch2/catch.hpp>

using cellmill::train::LoopOptions;
using cellmill::train::schedule_factor;

CATCH_TEST_CASE("learning rates rise over the warm-up and fall along half a cosine", "[schedule]") {
  LoopOptions options;
  options.warmup_steps = 4;
  CATCH_CHECK(schedule_factor(options, 0, 14) == 0.25);
  CATCH_CHECK(schedule_factor(options, 3, 14) == 1);
  CATCH_CHECK(schedule_factor(options, 4, 14) == 1);
  CATCH_CHECK(schedule_factor(options, 9, 14) == Approx(0.5));
  CATCH_CHECK(schedule_factor(options, 13, 14) == Approx(0.5 * (1 + std::cos(0.9 * M_PI))));
  CATCH_CHECK(schedule_factor(options, 14, 14) == Approx(0).margin(1e-15));
  CATCH_CHECK(schedule_factor(options, 99, 14) == Approx(0).margin(1e-15));
}

CATCH_TEST_CASE("a linear schedule falls along a line to nothing", "[schedule]") {
  LoopOptions options;
  options.schedule = "linear";
  options.warmup_steps = 4;
  CATCH_CHECK(schedule_factor(options, 1, 14) == 0.5);
  CATCH_CHECK(schedule_factor(options, 4, 14) == 1);
  CATCH_CHECK(schedule_factor(options, 9, 14) == 0.5);
  CATCH_CHECK(schedule_factor(options, 14, 14) == 0);
  CATCH_CHECK(schedule_factor(options, 99, 14) == 0);
}

CATCH_TEST_CASE("a constant schedule stays at one after the warm-up", "[schedule]") {
  LoopOptions options;
  options.schedule = "constant";
  CATCH_CHECK(schedule_factor(options, 0, 10) == 1);
  options.warmup_steps = 2;
  CATCH_CHECK(schedule_factor(options, 0, 10) == 0.5);
  CATCH_CHECK(schedule_factor(options, 9, 10) == 1);
}

CATCH_TEST_CASE("a warm-up as long as the run divides by nothing", "[schedule]") {
  LoopOptions options;
  options.warmup_steps = 10;
  CATCH_CHECK(schedule_factor(options, 9, 10) == 1);
  CATCH_CHECK(schedule_factor(options, 10, 10) == 1);
}
