#include "data/device_feed.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "base/error.h"

using namespace cellmill;
using namespace cellmill::data;

CATCH_TEST_CASE("the feed of the CPU hands the batch on", "[device_feed]") {
  Batch batch{.indptr = at::tensor({0, 1}, at::kLong),
              .indices = at::tensor({2}, at::kLong),
              .values = at::tensor({0.5f}),
              .labels = at::tensor({-1, 0}, at::kLong).reshape({1, 2}),
              .cells = at::tensor({7}, at::kLong),
              .genes = 3,
              .global_cells = 2,
              .epoch = 1,
              .step = 4};
  DeviceFeed feed(at::kCPU);
  const Batch moved = feed.move(batch);
  CATCH_CHECK(moved.values.is_same(batch.values));
  CATCH_CHECK(moved.size() == 1);
  CATCH_CHECK(moved.global_cells == 2);
  CATCH_CHECK(moved.step == 4);
}

CATCH_TEST_CASE("a device that cannot be fed is refused", "[device_feed]") {
  CATCH_CHECK_THROWS_AS(DeviceFeed(at::Device(at::kMeta)), UsageError);
}
