#include "base/huge_memory.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <fstream>

using namespace cellmill;

namespace {

/// Pages that this process has in memory.
std::size_t resident_pages() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident;
}

}  // namespace

CATCH_TEST_CASE("huge memory is kept for the next buffer of its size", "[huge_memory]") {
  void* first = take_huge(3 << 20);
  CATCH_CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
  void* other = take_huge(3 << 20);
  CATCH_CHECK(other != first);
  give_huge(first, 3 << 20);
  void* again = take_huge((3 << 20) - 1000);
  CATCH_CHECK(again == first);
  give_huge(other, 3 << 20);
  give_huge(again, (3 << 20) - 1000);
}

CATCH_TEST_CASE("released memory leaves the process and can be taken again", "[huge_memory]") {
  constexpr std::size_t kBytes = 40 << 20;
  auto* memory = static_cast<char*>(take_huge(kBytes));
  std::memset(memory, 1, kBytes);
  give_huge(memory, kBytes);
  const auto before = resident_pages();
  release_huge();
  CATCH_CHECK(resident_pages() + 8000 < before);  // 9,216 pages lie in whole huge ones
  auto* again = static_cast<char*>(take_huge(kBytes));
  CATCH_CHECK(again == memory);
  std::memset(again, 2, kBytes);
  CATCH_CHECK(again[kBytes / 2] == 2);
  give_huge(again, kBytes);
}
