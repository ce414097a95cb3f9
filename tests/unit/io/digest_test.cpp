#include "io/digest.h"

#include <catch2/catch.hpp>
#include <vector>

#include "base/format.h"

using namespace cellmill::io;

CATCH_TEST_CASE("a digest as a number, of pieces and as text is XXH3's", "[digest]") {
  std::vector<unsigned char> bytes(5000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(i * i >> 3);
  for (const std::size_t size : {0, 1, 3, 16, 17, 128, 129, 240, 241, 1023, 1024, 1025, 5000}) {
    CATCH_CAPTURE(size);
    // without a seed the number goes through the fast code, the text through the portable one
    CATCH_CHECK(fmt::format("{:016x}", digest_number(bytes.data(), size, 0)) ==
                digest(bytes.data(), size));
    CATCH_CHECK(digest_number(bytes.data(), size, 1) != digest_number(bytes.data(), size, 2));
    Digester pieces;
    for (std::size_t at = 0; at < size; at += 97)
      pieces.add(bytes.data() + at, std::min<std::size_t>(97, size - at));
    CATCH_CHECK(pieces.value() == digest(bytes.data(), size));
  }
  CATCH_CHECK(digest("abc") == "78af5f94892f3950");  // of the reference implementation
}
