#include "comm/host_memory.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

using namespace cellmill;

CATCH_TEST_CASE("a large host tensor takes the place of the last one", "[host_memory]") {
  auto before = at::ones({1 << 20}, at::kFloat);  // outlives the change
  comm::keep_host_memory();
  auto tensor = at::ones({1 << 20}, at::kFloat);
  const auto* place = tensor.const_data_ptr();
  CATCH_CHECK(reinterpret_cast<std::uintptr_t>(place) % 64 == 0);
  const auto other = at::empty({1 << 20}, at::kFloat);
  CATCH_CHECK(other.const_data_ptr() != place);
  tensor = at::Tensor();
  before = at::Tensor();
  tensor = at::zeros({1 << 20}, at::kFloat);
  CATCH_CHECK(tensor.const_data_ptr() == place);
  tensor.resize_({1 << 21});  // copies what it has
  CATCH_CHECK(tensor.slice(0, 0, 1 << 20).abs().sum().item<float>() == 0);
  CATCH_CHECK((at::ones({3}, at::kFloat) + 1).sum().item<float>() == 6);
}
