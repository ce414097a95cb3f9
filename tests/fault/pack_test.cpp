// Stores: every damage is found with file and place; a pack that is killed or that the system
// refuses leaves nothing under the final name, and goes on to the same bytes.
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "base/format.h"
#include "base/random.h"
#include "data/packed.h"
#include "data/store/unpack.h"
#include "io/files.h"

using namespace cellmill;
using namespace cellmill::data;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

std::uint64_t draw(std::uint64_t i, std::uint64_t below) {
  return random::below(random::bits(random::Use::kTest, {77, i}), below);
}

/// Opens and reads all of a store.
std::string verdict(const fs::path& store) {
  return error_of([&] { describe_pack_store(open_pack_store(store), StoreText::kShort, true); });
}

}  // namespace

CATCH_TEST_CASE("every flipped bit of a store is found, with its place") {
  Packed packed;
  packed.input.synthetic_cells = 100;
  packed.pack("a.cmpack");
  const fs::path path = packed.scratch / "a.cmpack";
  const std::string whole = io::read_text(path);
  const PackHeader header = check_header(io::Descriptor(path, io::Descriptor::Mode::kRead));
  CATCH_REQUIRE(verdict(path) == "no error");
  // all of the header, and every byte of the rest once
  for (std::uint64_t byte = 0; byte < whole.size(); ++byte)
    for (int bit = byte < 512 ? 0 : static_cast<int>(draw(byte, 8)), i = 0;
         i < (byte < 512 ? 8 : 1); ++i, ++bit) {
      std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(static_cast<std::streamoff>(byte)).put(static_cast<char>(whole[byte] ^ 1 << bit));
      file.close();
      const std::string text = verdict(path);
      const bool in_blocks =
          byte >= header.blocks_begin && byte < header.blocks_begin + header.blocks_bytes;
      const std::string place = byte < 512  ? ": bytes 0 to 511: "
                                : in_blocks ? ": block "
                                            : ": bytes 512 to ";
      const bool newer = byte < 512 && text.find("newer cellmill") != std::string::npos;
      if (!text.starts_with("65 " + path.string() + (newer ? ": format" : place)))
        CATCH_FAIL("byte " << byte << " bit " << bit << ": " << text);
      std::fstream back(path, std::ios::binary | std::ios::in | std::ios::out);
      back.seekp(static_cast<std::streamoff>(byte)).put(whole[byte]);
    }
  CATCH_CHECK(verdict(path) == "no error");
}

CATCH_TEST_CASE("a damaged block is named, and without digests it is still never followed") {
  Packed packed;
  packed.pack("a.cmpack");
  const fs::path path = packed.scratch / "a.cmpack";
  const std::string whole = io::read_text(path);
  const PackHeader header = check_header(io::Descriptor(path, io::Descriptor::Mode::kRead));
  auto options = packed.source("a.cmpack");
  int found = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    std::string bytes = whole;
    const auto at = header.blocks_begin + draw(i, header.blocks_bytes);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << draw(1000 + i, 8)));
    write(path, bytes);
    options.verify = true;
    const std::string text = error_of([&] { cells_of(*open_source(options)); });
    CATCH_CHECK_THAT(text, Contains(": block ") && Contains("is damaged: its digest differs"));
    options.verify = false;
    found += error_of([&] { cells_of(*open_source(options)); }) != "no error";
  }
  CATCH_CHECK(found > 20);
}

CATCH_TEST_CASE("every truncation and extension of a store is found") {
  Packed packed;
  packed.input.synthetic_cells = 100;
  packed.pack("a.cmpack");
  const fs::path path = packed.scratch / "a.cmpack";
  const std::string whole = io::read_text(path);
  for (std::uint64_t size = 0; size < whole.size(); size += 1 + draw(size, 97)) {
    write(path, whole.substr(0, size));
    CATCH_CAPTURE(size);
    CATCH_CHECK_THAT(verdict(path),
                     size < 512
                         ? Contains("bytes 0 to 511: is no store") ||
                               Contains("bytes 0 to 511: the header is damaged")
                         : Contains("is cut short") || Contains(fmt::format("byte {}", size)));
  }
  write(path, whole + "x");
  CATCH_CHECK_THAT(verdict(path), Contains(fmt::format("byte {}: has grown", whole.size())));
}

CATCH_TEST_CASE("kill -9 at any moment of packing: the same command ends at the same bytes") {
  for (const bool shuffle : {false, true}) {
    Packed packed;
    packed.input.synthetic_cells = 2000;
    packed.input.synthetic_genes = 500;
    packed.pack("straight", shuffle, 600);
    int kills = 0;
    for (std::uint64_t round = 0; !fs::exists(packed.scratch / "killed"); ++round) {
      const pid_t child = fork();
      if (child == 0) {
        packed.pack("killed", shuffle, 600);
        _exit(0);
      }
      usleep(static_cast<useconds_t>(5000 + draw(round, 50000)));
      kill(child, SIGKILL);
      int status = 0;
      waitpid(child, &status, 0);
      kills += WIFSIGNALED(status);
      CATCH_REQUIRE(round < 200);
    }
    CATCH_CHECK(kills > 0);
    for (const char* name :
         {"shard-00000.cmpack", "shard-00001.cmpack", "shard-00002.cmpack", "shard-00003.cmpack"})
      CATCH_CHECK(io::read_text(packed.scratch.folder / "straight" / name) ==
                  io::read_text(packed.scratch.folder / "killed" / name));
  }
}

CATCH_TEST_CASE("what a killed pack left is verified before it is gone on with") {
  Packed packed;
  packed.pack("straight.cmpack");
  packed.pack("made.cmpack");
  // as if killed after two blocks and a part of a third, of which the second is damaged
  const fs::path made = packed.scratch / "made.cmpack";
  const std::string whole = io::read_text(made);
  const PackHeader header = check_header(io::Descriptor(made, io::Descriptor::Mode::kRead));
  fs::remove(made);
  const auto interrupted = [&] {
    const rlimit none{1000, RLIM_INFINITY};  // enough for the note of what is made
    const pid_t child = fork();
    if (child == 0) {
      std::signal(SIGXFSZ, SIG_IGN);
      setrlimit(RLIMIT_FSIZE, &none);
      try {
        packed.pack("made.cmpack");
      } catch (const DataError&) {
        _exit(0);
      }
      _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
  };
  interrupted();
  const fs::path staging = packed.scratch / ".made.cmpack.packing";
  std::string blocks = whole.substr(header.blocks_begin, header.blocks_bytes / 2);
  blocks[blocks.size() / 2] ^= 1;
  fs::create_directories(staging / "store");
  write(staging / "store" / "shard-00000.cmpack.blocks", blocks);
  const auto report = packed.pack("made.cmpack");
  CATCH_CHECK(report.resumed_at == 64);
  CATCH_CHECK(io::read_text(made) == whole);
  CATCH_CHECK(!fs::exists(staging));
}

CATCH_TEST_CASE("an unfinished pack is not gone on with by another") {
  Packed packed;
  fs::create_directories(packed.scratch / ".a.cmpack.packing");
  write(packed.scratch / ".a.cmpack.packing/job.json", "another\n");
  try {
    packed.pack("a.cmpack");
    CATCH_FAIL("packed");
  } catch (const UsageError& error) {
    CATCH_CHECK_THAT(error.text(), Contains(".a.cmpack.packing holds an unfinished job of other "
                                            "input or options\n  hint: give the same again, or"));
  }
}

CATCH_TEST_CASE(
    "a full disk is told, leaves nothing under the final name, and can be gone on from") {
  Packed packed;
  packed.input.synthetic_cells = 3000;
  packed.input.synthetic_genes = 500;
  packed.pack("straight.cmpack");
  const fs::path disk = packed.scratch / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=200k") != 0) {
    CATCH_WARN("SKIPPED: cannot mount a tmpfs (root only): " << std::strerror(errno));
    return;
  }
  std::string text;
  try {
    packed.pack("disk/a.cmpack");
  } catch (const DataError& error) {
    CATCH_CHECK(error.code() == Exit::kIo);
    text = error.text();
  }
  CATCH_CHECK_THAT(text, Contains("No space left on device") &&
                             Contains("hint: make room; the same command goes on from ") &&
                             Contains("; nothing is at " + (disk / "a.cmpack").string()));
  CATCH_CHECK(!fs::exists(disk / "a.cmpack"));
  ::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m");
  const auto report = packed.pack("disk/a.cmpack");
  CATCH_CHECK(report.resumed_at > 0);
  CATCH_CHECK(io::read_text(disk / "a.cmpack") ==
              io::read_text(packed.scratch / "straight.cmpack"));
  ::umount2(disk.c_str(), MNT_DETACH);
}
