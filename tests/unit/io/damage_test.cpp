// Random damage to good files: a DataError or a result, never a crash. The seed is fixed.
#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "expect.h"
#include "io/files.h"
#include "io/npz.h"
#include "io/zip.h"

using namespace cellmill;
using namespace cellmill::io;

namespace {

/// One to four flipped bits, bytes replaced by extremes, or a cut.
std::string damaged(std::string bytes, std::mt19937& random) {
  auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  if (below(8) == 0) bytes.resize(below(bytes.size()));
  for (std::size_t i = 0, n = 1 + below(4); i < n && !bytes.empty(); ++i) {
    std::size_t at = below(bytes.size());
    if (below(3) == 0)
      std::memset(bytes.data() + at, below(2) ? 0xFF : 0,
                  std::min(bytes.size() - at, below(8) + 1));
    else
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
  }
  return bytes;
}

}  // namespace

CATCH_TEST_CASE("damaged archives are refused or read, never followed", "[damage]") {
  Scratch scratch;
  std::mt19937 random(5);
  int refused = 0;
  for (const char* name : {"f4.npz", "f8_stored.npz", "wide.npz"}) {
    std::string whole = read_text(fixture(name));
    for (int round = 0; round < 1000; ++round) {
      fs::remove(scratch / "d.npz");
      Descriptor file(scratch / "d.npz", Descriptor::Mode::kCreateNew);
      std::string bytes = damaged(whole, random);
      file.write(bytes.data(), bytes.size());
      refused += error_of([&] { read_csr(scratch / "d.npz"); }) != "no error";
    }
  }
  CATCH_CHECK(refused > 1500);
}

CATCH_TEST_CASE("damaged arrays are refused or read, never followed", "[damage]") {
  std::mt19937 random(6);
  ZipFile zip(fixture("dense.npz"));
  int refused = 0;
  for (const ZipMember& member : zip.members()) {
    std::vector<std::uint8_t> whole = zip.read(member);
    for (int round = 0; round < 300; ++round) {
      std::string bytes = damaged({whole.begin(), whole.end()}, random);
      refused += error_of([&] {
                   NpyArray array = parse_npy({bytes.begin(), bytes.end()}, "f", "m");
                   if (array.dtype.find_first_of("SU") != std::string::npos)
                     array.to_strings("f", "m");
                   else
                     array.to_float("f", "m");
                 }) != "no error";
    }
  }
  CATCH_CHECK(refused > 1000);
}
