#include "train/tally.h"

#include <bit>
#include <catch2/catch.hpp>
#include <limits>

using cellmill::train::Tally;

namespace {

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

}  // namespace

CATCH_TEST_CASE("a tally weighs means and keeps the extremes", "[tally]") {
  Tally tally;
  tally.add("loss/target", 3, 10);
  tally.add("loss/target", -1, 30);
  tally.add("norm", -2);
  const auto& loss = tally.entries().at("loss/target");
  CATCH_CHECK(loss.mean() == 0);
  CATCH_CHECK(loss.low == -1);
  CATCH_CHECK(loss.high == 3);
  CATCH_CHECK(loss.count == 40);
  CATCH_CHECK(tally.entries().at("norm").high == -2);
  tally.clear();
  CATCH_CHECK(tally.entries().empty());
  CATCH_CHECK(Tally::Entry{}.mean() == 0);
}

CATCH_TEST_CASE("a tally comes back bit for bit and goes on the same", "[tally]") {
  Tally whole, other;
  for (const double value : {0.1, 0.2, 1e-300, -0.0, std::numeric_limits<double>::denorm_min()}) {
    whole.add("loss/target/cell type", value, 7);
    whole.add("a/sum", value);
  }
  other.add("loss/target/cell type", 42);
  std::map<std::string, double> reals = {{"best", 5}, {"intervals/x/sum", 1}};
  whole.save("interval", reals);
  other.save("epoch", reals);

  Tally again;
  again.add("left over", 1);
  again.load("interval", reals);
  CATCH_REQUIRE(again.entries().size() == 2);
  for (auto* tally : {&whole, &again}) tally->add("loss/target/cell type", 0.3, 3);
  for (const auto& [name, entry] : whole.entries()) {
    CATCH_INFO(name);
    const auto& found = again.entries().at(name);
    CATCH_CHECK(same_bits(found.sum, entry.sum));
    CATCH_CHECK(same_bits(found.low, entry.low));
    CATCH_CHECK(same_bits(found.high, entry.high));
    CATCH_CHECK(found.count == entry.count);
  }
}
