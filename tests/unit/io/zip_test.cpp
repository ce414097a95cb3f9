#include "io/zip.h"

#include <libdeflate.h>

#include <catch2/catch.hpp>

#include "expect.h"
#include "io/files.h"
#include "io/little_endian.h"

using namespace cellmill;
using namespace cellmill::io;
using Catch::Contains;

namespace {

std::string text_of(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

/// Writes `bytes` and opens it as zip, reading every member.
std::string error_of_bytes(const Scratch& scratch, const std::string& bytes) {
  write_text_atomically(scratch / "t.npz", bytes);
  return error_of([&] {
    ZipFile zip(scratch / "t.npz");
    for (const ZipMember& member : zip.members()) zip.read(member);
  });
}

}  // namespace

CATCH_TEST_CASE("numpy's archives are read, stored and deflated", "[zip]") {
  ZipFile deflated(fixture("f4.npz"));
  CATCH_REQUIRE(deflated.members().size() == 5);
  CATCH_CHECK(deflated.find("data.npy")->method == 8);
  CATCH_CHECK(deflated.read(*deflated.find("data.npy")).size() == 128 + 9 * 4);
  ZipFile stored(fixture("f8_stored.npz"));
  CATCH_CHECK(stored.find("data.npy")->method == 0);
  CATCH_CHECK(stored.read(*stored.find("data.npy")).size() == 128 + 9 * 8);
  CATCH_CHECK(stored.find("data") == nullptr);
}

CATCH_TEST_CASE("what is written is read back, with zip64 where members abound", "[zip]") {
  Scratch scratch;
  ZipWriter writer(scratch / "a.zip");
  std::string text(100'000, 'a');
  writer.add("deflated", bytes_of(text), true);
  for (int i = 0; i < 66'000; ++i) writer.add(std::to_string(i), {}, false);
  writer.add("last", bytes_of("stored"), false);
  writer.close();
  ZipFile zip(scratch / "a.zip");
  CATCH_CHECK(zip.members().size() == 66'002);
  CATCH_CHECK(zip.find("deflated")->stored_bytes < 1000);
  CATCH_CHECK(text_of(zip.read(*zip.find("deflated"))) == text);
  CATCH_CHECK(zip.read(*zip.find("65999")).empty());
  CATCH_CHECK(text_of(zip.read(*zip.find("last"))) == "stored");
  CATCH_CHECK_THAT(error_of([&] { ZipWriter again(scratch / "a.zip"); }),
                   Contains("74 ") && Contains("cannot create: File exists"));
}

CATCH_TEST_CASE("members and the directory may lie behind 4 GiB", "[zip]") {
  constexpr std::uint64_t kFar = std::uint64_t{5} << 30, kHole = kFar - 31;
  const std::string data = "far";
  const auto put_all = [](std::string& to, auto... values) {
    (put<decltype(values)>(to, values), ...);
  };
  const auto numbers = [&](std::string& to, std::uint32_t crc) {  // flags, method, date, CRC, sizes
    put_all(to, std::uint32_t{0}, std::uint32_t{0x00210000}, crc, ~std::uint32_t{0},
            ~std::uint32_t{0});
  };
  const auto member = [&](char name, std::string& local, std::string& central, std::uint64_t bytes,
                          std::uint64_t offset, std::uint32_t crc) {
    put_all(local, std::uint32_t{0x04034b50}, std::uint16_t{45});
    numbers(local, crc);
    put_all(local, std::uint16_t{1}, std::uint16_t{0});
    local += name;
    put_all(central, std::uint32_t{0x02014b50}, std::uint16_t{45}, std::uint16_t{45});
    numbers(central, crc);
    put_all(central, std::uint16_t{1}, std::uint16_t{28}, std::uint16_t{0}, std::uint16_t{0},
            std::uint16_t{0}, std::uint32_t{0}, ~std::uint32_t{0});
    central += name;
    put_all(central, std::uint16_t{1}, std::uint16_t{24}, bytes, bytes, offset);
  };
  std::string hole, behind, central;
  member('x', hole, central, kHole, 0, 0);
  member('y', behind, central, data.size(), kFar, libdeflate_crc32(0, data.data(), data.size()));
  const std::uint64_t directory = kFar + behind.size() + data.size();
  std::string tail = central;
  put_all(tail, std::uint32_t{0x06064b50}, std::uint64_t{44}, std::uint16_t{45}, std::uint16_t{45},
          std::uint64_t{0}, std::uint64_t{2}, std::uint64_t{2}, std::uint64_t{central.size()},
          directory, std::uint32_t{0x07064b50}, std::uint32_t{0}, directory + central.size(),
          std::uint32_t{1}, std::uint32_t{0x06054b50}, std::uint32_t{0}, std::uint16_t{2},
          std::uint16_t{2}, ~std::uint32_t{0}, ~std::uint32_t{0}, std::uint16_t{0});

  Scratch scratch;
  {
    Descriptor file(scratch / "far.zip", Descriptor::Mode::kCreateNew);
    file.write(hole.data(), hole.size());
    std::filesystem::resize_file(scratch / "far.zip", kFar);  // a hole of zeros, no disk space
    file.write_at((behind + data + tail).data(), (behind + data + tail).size(), kFar);
  }
  ZipFile zip(scratch / "far.zip");
  CATCH_REQUIRE(zip.members().size() == 2);
  CATCH_CHECK(zip.members()[0].bytes == kHole);
  CATCH_CHECK(zip.data_offset(zip.members()[0]) == 31);
  CATCH_CHECK(zip.members()[1].offset == kFar);
  CATCH_CHECK(text_of(zip.read(zip.members()[1])) == data);
}

CATCH_TEST_CASE("archives that are missing, cut or foreign say so", "[zip]") {
  Scratch scratch;
  CATCH_CHECK_THAT(error_of([&] { ZipFile zip(scratch / "none.npz"); }),
                   Contains("66 ") && Contains("none.npz: cannot read: No such file"));
  CATCH_CHECK_THAT(error_of_bytes(scratch, ""),
                   Contains("65 ") && Contains("is not a zip archive"));
  CATCH_CHECK_THAT(error_of_bytes(scratch, "\x80\x04pickle"), Contains("is not a zip archive"));
  std::string whole = read_text(fixture("f4.npz"));
  for (std::size_t length = 4; length < whole.size(); length += 17) {
    CATCH_CAPTURE(length);
    CATCH_REQUIRE_THAT(error_of_bytes(scratch, whole.substr(0, length)),
                       Contains("65 ") && Contains("t.npz: is truncated: the zip directory at its "
                                                   "end is missing\n  hint: copy or make"));
  }
  CATCH_CHECK_THAT(error_of_bytes(scratch, whole.substr(700)), Contains("is truncated"));
}

CATCH_TEST_CASE("what is not read is refused by name", "[zip]") {
  Scratch scratch;
  CATCH_CHECK_THAT(error_of([&] { ZipFile zip(fixture("bzip2.npz")); }),
                   Contains("65 ") &&
                       Contains("member data.npy: is compressed in a way that cellmill does not "
                                "read; expected stored or deflated (methods 0 and 8); found bzip2 "
                                "(method 12)"));
  std::string encrypted = read_text(fixture("f4.npz"));
  encrypted[encrypted.find("PK\x01\x02") + 8] |= 1;
  CATCH_CHECK_THAT(error_of_bytes(scratch, encrypted),
                   Contains("member indices.npy: is encrypted"));
}

CATCH_TEST_CASE("damage is found", "[zip]") {
  Scratch scratch;
  std::string stored = read_text(fixture("f8_stored.npz")), bytes = stored;
  bytes[stored.find("\x93NUMPY") + 130] ^= 1;
  CATCH_CHECK_THAT(error_of_bytes(scratch, bytes),
                   Contains("member indices.npy: is damaged: its CRC-32 differs"));

  std::string deflated = read_text(fixture("f4.npz"));
  std::size_t entry = deflated.find("PK\x01\x02");
  bytes = deflated;
  bytes.replace(30 + 11 + 20 + 4, 8, 8, '\xff');  // behind header, name and zip64 sizes
  CATCH_CHECK_THAT(error_of_bytes(scratch, bytes),
                   Contains("member indices.npy: does not inflate"));

  bytes = deflated;
  std::string huge;
  put<std::uint32_t>(huge, 0xF0000000);
  bytes.replace(entry + 24, 4, huge);
  CATCH_CHECK_THAT(error_of_bytes(scratch, bytes),
                   Contains("member indices.npy: has impossible sizes; found 4026531840 from"));
  bytes.replace(entry + 20, 4, huge);
  CATCH_CHECK_THAT(error_of_bytes(scratch, bytes),
                   Contains("member indices.npy: is truncated: its data would end behind"));
  bytes = deflated;
  bytes.replace(entry + 42, 4, huge);
  CATCH_CHECK_THAT(error_of_bytes(scratch, bytes),
                   Contains("member indices.npy: is truncated: its header would end behind"));
}
