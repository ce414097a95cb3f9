// Bytes as an .npy array, and its conversion to everything that we convert to.
#include "fuzz.h"
#include "io/npz.h"

using namespace cellmill;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::accepted([&] {
    const io::NpyArray array = io::parse_npy({data, data + size}, "f", "m");
    const auto count = static_cast<std::size_t>(array.size());
    fuzz::accepted([&] { fuzz::require(array.to_int64("f", "m").size() == count); });
    fuzz::accepted([&] { fuzz::require(array.to_int32("f", "m").size() == count); });
    fuzz::accepted([&] { fuzz::require(array.to_float("f", "m").size() == count); });
    if (count <= 4096) fuzz::accepted([&] { array.to_strings("f", "m"); });
  });
  return 0;
}
