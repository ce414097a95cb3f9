#include "comm/host_memory.h"

#include <ATen/ATen.h>

#include <algorithm>
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

CATCH_TEST_CASE("host memory is given back by its address alone, as LibTorch's own products do",
                "[host_memory]") {
  comm::keep_host_memory();
  auto* memory = c10::GetAllocator(at::kCPU);
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{1000}, std::size_t{127} << 10, std::size_t{1} << 20}) {
    auto* block = static_cast<char*>(memory->raw_allocate(bytes));
    CATCH_CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
    std::fill(block, block + bytes, 'x');
    memory->raw_deallocate(block);
  }
  memory->raw_deallocate(memory->raw_allocate(0));
}
