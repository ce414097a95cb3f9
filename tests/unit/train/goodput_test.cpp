#include "train/goodput.h"

#include <catch2/catch.hpp>
#include <thread>

using namespace cellmill::train;
using Catch::Matchers::Contains;

CATCH_TEST_CASE("the shares of a run add up to one, and the rest is 'other'") {
  Goodput goodput;
  std::this_thread::sleep_for(std::chrono::milliseconds(40));
  goodput.add(Goodput::Part::kData, 0.005);
  goodput.add(Goodput::Part::kData, 0.005);
  goodput.add(Goodput::Part::kEvaluation, 0.004);
  StepTimes times{.forward = 0.004, .backward = 0.005, .synchronise = 0.002, .optimise = 0.001};
  goodput.steps(times);
  const auto shares = goodput.shares();
  CATCH_REQUIRE(shares.size() == 7);
  double sum = 0;
  for (const auto& [name, share] : shares) sum += share;
  CATCH_CHECK(sum == Approx(1));
  CATCH_CHECK(shares.at("goodput_compute") == Approx(shares.at("goodput_data")));
  CATCH_CHECK(shares.at("goodput_synchronise") == Approx(shares.at("goodput_compute") / 5));
  CATCH_CHECK(shares.at("goodput_checkpoint") == 0);
  CATCH_CHECK(shares.at("goodput_other") > 0.2);
}

CATCH_TEST_CASE("goodput is said in one line") {
  Goodput goodput;
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CATCH_CHECK_THAT(goodput.text(), Contains("goodput of 0.0 s: compute 0.0 %, data 0.0 %") &&
                                       Contains("comparison 0.0 %, other 100.0 %"));
}
