#include "base/background.h"

#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>
#include <vector>

using cellmill::Background;

CATCH_TEST_CASE("background work is done in order, all of it") {
  std::vector<int> done;
  {
    Background background(3);
    for (int k = 0; k < 1000; ++k) background.run([&, k] { done.push_back(k); });
    background.wait();
    CATCH_CHECK(done.size() == 1000);
    background.run([&] { done.push_back(1000); });
  }
  CATCH_REQUIRE(done.size() == 1001);
  for (int k = 0; k <= 1000; ++k) CATCH_CHECK(done[k] == k);
}

CATCH_TEST_CASE("the caller does not wait for background work, unless too much of it waits") {
  std::promise<void> door;
  Background background(2);
  const auto opened = door.get_future().share();
  background.run([opened] { opened.wait(); });
  background.run([] {});  // returns although the first one is stuck
  std::atomic<bool> third = false;
  auto pusher = std::async(std::launch::async, [&] {
    background.run([] {});
    third = true;
  });
  CATCH_CHECK(pusher.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
  CATCH_CHECK_FALSE(third);
  door.set_value();
  pusher.get();
  background.wait();
  CATCH_CHECK(third);
}

CATCH_TEST_CASE("a resting piece of work is over when somebody waits for it") {
  Background background;
  std::promise<bool> passed;
  background.run([&] { passed.set_value(background.rest(0.001)); });
  CATCH_CHECK(passed.get_future().get());
  bool cut_short = false;
  background.run([&] { cut_short = !background.rest(1000); });
  background.wait();
  CATCH_CHECK(cut_short);
}

CATCH_TEST_CASE("an error of background work reaches the caller once, and drops what waited") {
  bool after = false;
  Background background;
  std::promise<void> door;
  background.run([opened = door.get_future().share()] {
    opened.wait();
    throw std::runtime_error("disk full");
  });
  background.run([&] { after = true; });
  door.set_value();
  CATCH_CHECK_THROWS_WITH(background.wait(), "disk full");
  CATCH_CHECK_FALSE(after);
  background.run([&] { after = true; });
  background.wait();
  CATCH_CHECK(after);
}
