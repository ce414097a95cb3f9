#include "metrics/linear_probe.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

using namespace cellmill::metrics;

namespace {

/// Labels of 3 and of 2 classes; the first two values hold the first one, the third holds nothing.
struct Planted {
  at::Tensor cells, values, labels;
  explicit Planted(std::int64_t count) {
    at::manual_seed(5);
    cells = at::arange(count) * 7 + 3;
    labels = at::stack({at::randint(3, {count}, at::kLong), at::randint(2, {count}, at::kLong)}, 1);
    const auto centre = at::tensor({0., 0., 6., 0., 0., 6.}, at::kDouble).view({3, 2});
    values = at::cat({centre.index_select(0, labels.select(1, 0)), at::zeros({count, 1})}, 1) +
             at::randn({count, 3}, at::kDouble);
    labels.slice(0, 0, count / 10).fill_(-1);
  }
  void give(LinearProbe& probe, std::int64_t begin, std::int64_t end) const {
    probe.update(cells.slice(0, begin, end), values.slice(0, begin, end),
                 labels.slice(0, begin, end));
  }
};

}  // namespace

CATCH_TEST_CASE("a probe reads what is there, and no more", "[metrics]") {
  for (const std::int64_t count : {400, 3000, 60000}) {
    CATCH_INFO(count << " cells");
    const Planted planted(count);
    LinearProbe probe(3, 2);
    planted.give(probe, 0, count);
    const auto own = probe.value(0, 0, 2), none = probe.value(0, 2, 1),
               other = probe.value(1, 0, 3);
    CATCH_CHECK(own.chance == Approx(1. / 3));
    CATCH_CHECK(own.accuracy > 0.98);
    CATCH_CHECK(none.accuracy == Approx(1. / 3).margin(0.12));
    CATCH_CHECK(other.accuracy == Approx(0.5).margin(0.12));
  }
}

CATCH_TEST_CASE("samples of parts add up to the whole's bits", "[metrics]") {
  const Planted planted(5000);
  LinearProbe whole(3, 2), part(3, 2), rest(3, 2);
  planted.give(whole, 0, 5000);
  planted.give(rest, 1234, 5000);
  planted.give(part, 0, 1234);
  part.state() += rest.state();
  CATCH_CHECK(part.value(0, 0, 2).accuracy == whole.value(0, 0, 2).accuracy);
}

CATCH_TEST_CASE("a probe needs two classes with some cells", "[metrics]") {
  const Planted planted(300);
  LinearProbe none(3, 2), few(3, 2);
  CATCH_CHECK(std::isnan(none.value(0, 0, 3).accuracy));
  planted.give(few, 30, 40);
  CATCH_CHECK(std::isnan(few.value(0, 0, 3).accuracy));
}
