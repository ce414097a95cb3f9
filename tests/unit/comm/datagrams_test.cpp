#include "comm/datagrams.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <thread>

using cellmill::comm::Datagrams;

namespace {

struct Pair {
  std::unique_ptr<Datagrams> a = std::make_unique<Datagrams>(), b = std::make_unique<Datagrams>();
  Pair(std::uint64_t token_a, std::uint64_t token_b) {
    const std::vector<std::string> addresses = {a->addresses(), b->addresses()};
    a->connect(token_a, 0, addresses);
    b->connect(token_b, 1, addresses);
  }
};

std::optional<Datagrams::Arrival> received(Datagrams& channel, double seconds = 2) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < until) {
    if (auto arrival = channel.receive()) return arrival;
    channel.wait(0.01);
  }
  return {};
}

}  // namespace

CATCH_TEST_CASE("messages arrive whole, with their sender", "[datagrams]") {
  Pair pair(5, 5);
  const std::string long_text(30000, 'x');
  pair.a->send(1, "beat");
  auto got = received(*pair.b);
  CATCH_REQUIRE(got);
  CATCH_CHECK(got->rank == 0);
  CATCH_CHECK(got->message == "beat");
  while (pair.b->receive()) {
  }  // once for each network of this host
  pair.b->send(0, long_text);
  got = received(*pair.a);
  CATCH_REQUIRE(got);
  CATCH_CHECK(got->rank == 1);
  CATCH_CHECK(got->message == long_text);
}

CATCH_TEST_CASE("who does not know the token is not heard", "[datagrams]") {
  Pair pair(5, 6);
  pair.a->send(1, "beat");
  CATCH_CHECK(!received(*pair.b, 0.3));
}

CATCH_TEST_CASE("a peer that is gone is noticed by the next message to it", "[datagrams]") {
  Pair pair(5, 5);
  pair.b->send(0, "beat");
  CATCH_REQUIRE(received(*pair.a));
  pair.b.reset();
  while (pair.a->receive()) {
  }
  pair.a->send(1, "beat");
  const auto got = received(*pair.a);
  CATCH_REQUIRE(got);
  CATCH_CHECK(got->gone);
  CATCH_CHECK(got->rank == 1);
}

CATCH_TEST_CASE("a peer that was never heard is not thought gone", "[datagrams]") {
  Pair pair(5, 5);
  pair.b.reset();
  pair.a->send(1, "beat");
  CATCH_CHECK(!received(*pair.a, 0.3));
}

CATCH_TEST_CASE("wake ends a wait", "[datagrams]") {
  Datagrams channel;
  const auto start = std::chrono::steady_clock::now();
  channel.wake();
  channel.wait(20);
  CATCH_CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}
