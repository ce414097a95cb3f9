// Bytes as a zip archive: directory, zip64, and each member, stored or deflated.
#include "io/zip.h"

#include "fuzz.h"

using namespace cellmill;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = fuzz::write_file("a.npz", {reinterpret_cast<const char*>(data), size});
  fuzz::accepted([&] {
    const io::ZipFile zip(path);
    for (const io::ZipMember& member : zip.members()) {
      fuzz::require(zip.find(member.name) == &member);
      fuzz::accepted([&] { fuzz::require(zip.read(member).size() == member.bytes); });
    }
  });
  return 0;
}
