#include "data/stream_copy.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <vector>

CATCH_TEST_CASE("a streamed copy is a copy, and nothing beside it", "[loader]") {
  std::vector<unsigned char> from(5000);
  std::iota(from.begin(), from.end(), static_cast<unsigned char>(1));
  for (std::size_t begin : {0, 1, 31, 60})
    for (std::size_t at : {0, 4, 33, 63})
      for (std::size_t bytes : {0, 1, 63, 1023, 1024, 1025, 4096, 4900}) {
        std::vector<unsigned char> to(5100, 250), expected = to;
        std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(begin), bytes,
                    expected.begin() + static_cast<std::ptrdiff_t>(at));
        cellmill::data::stream_copy(to.data() + at, from.data() + begin, bytes);
        CATCH_REQUIRE(to == expected);
      }
}
