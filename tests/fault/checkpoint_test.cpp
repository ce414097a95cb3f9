// Damage to finished checkpoints is found, with file and place; a save that the system refuses or
// that is killed leaves the old ones whole and nothing that looks like a new one.
#include <sys/mount.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/random.h"
#include "checkpoint/manifest.h"
#include "checkpoint/scratch.h"
#include "io/file_limit.h"
#include "io/files.h"

using namespace cellmill;
using namespace cellmill::checkpoint;

namespace {

std::string verdict(const fs::path& checkpoint, Exit expected) {
  try {
    verify(checkpoint);
  } catch (const DataError& e) {
    CATCH_CHECK(e.code() == expected);
    return e.what();
  }
  CATCH_FAIL("the damage was not found");
  return {};
}

void write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

std::uint64_t draw(std::uint64_t i, std::uint64_t below) {
  return random::below(random::bits(random::Use::kTest, {2026, i}), below);
}

/// A tmpfs of its own, or the reason why there is none.
struct SmallDisk {
  Scratch scratch;
  std::string refused;
  explicit SmallDisk(const char* options) {
    if (::mount("tmpfs", scratch.folder.c_str(), "tmpfs", 0, options) != 0)
      refused = std::string("cannot mount a tmpfs (root only): ") + std::strerror(errno);
  }
  ~SmallDisk() {
    if (refused.empty()) ::umount2(scratch.folder.c_str(), MNT_DETACH);
  }
};

}  // namespace

CATCH_TEST_CASE("every truncation and extension of either file is found") {
  Scratch scratch;
  const fs::path path = save(scratch.folder, 1, sample(1));
  for (const char* name : {kStateFile, kManifestFile}) {
    const std::string whole = io::read_text(path / name);
    std::vector<std::size_t> lengths = {0, 1, 7, 8, 511, 512, 2047, 2048, whole.size() - 1};
    for (std::uint64_t i = 0; i < 40; ++i) lengths.push_back(draw(i, whole.size()));
    for (const std::size_t length : lengths) {
      if (length >= whole.size()) continue;
      CATCH_CAPTURE(name, length);
      write(path / name, whole.substr(0, length));
      const std::string text = verdict(path, Exit::kData);
      CATCH_CHECK_THAT(text, Catch::StartsWith((path / name).string() + ": "));
      if (name == kStateFile)
        CATCH_CHECK_THAT(text,
                         Catch::Contains("byte " + std::to_string(length) + ": is cut short"));
    }
    write(path / name, whole + "\n");
    CATCH_CHECK_THAT(verdict(path, Exit::kData), Catch::StartsWith((path / name).string()));
    write(path / name, whole);
  }
  verify(path);
}

CATCH_TEST_CASE("every flipped bit is found, with its place") {
  Scratch scratch;
  const fs::path path = save(scratch.folder, 1, sample(1));
  for (const char* name : {kStateFile, kManifestFile}) {
    const std::string whole = io::read_text(path / name);
    for (std::uint64_t i = 0; i < 300; ++i) {
      std::string flipped = whole;
      const std::uint64_t byte = draw(1000 + i, whole.size());
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << draw(2000 + i, 8)));
      write(path / name, flipped);
      CATCH_CAPTURE(name, byte);
      const std::string text = verdict(path, Exit::kData);
      CATCH_CHECK_THAT(text, Catch::StartsWith((path / name).string() + ": "));
      if (name == kStateFile)
        CATCH_CHECK_THAT(text, Catch::Contains(": bytes 0 to ") && Catch::Contains("is damaged"));
    }
    write(path / name, whole);
  }
  verify(path);
}

CATCH_TEST_CASE("the place of a flipped bit is its block of 4 MiB") {
  Scratch scratch;
  const fs::path path = save(scratch.folder, 1, sample(1, 16 << 10));
  std::string bytes = io::read_text(path / kStateFile);
  bytes[2 * io::kBlockBytes + 17] ^= 4;
  write(path / kStateFile, bytes);
  CATCH_CHECK_THAT(verdict(path, Exit::kData),
                   Catch::Contains("state.h5: bytes 8388608 to 12582911: is damaged"));
}

CATCH_TEST_CASE("a missing manifest and a leftover temporary folder are no checkpoints") {
  Scratch scratch;
  save(scratch.folder, 1, sample(1));
  fs::copy(save(scratch.folder, 2, sample(2)), scratch.folder / ".unfinished-h-1-0",
           fs::copy_options::recursive);
  fs::remove(scratch.folder / "step-000000002" / kManifestFile);
  CATCH_CHECK_THAT(verdict(scratch.folder / "step-000000002", Exit::kData),
                   Catch::Contains("is no whole checkpoint; expected manifest.json in it"));
  std::vector<std::string> passed_over;
  CATCH_CHECK(newest_valid(scratch.folder, passed_over)->step == 1);
  CATCH_CHECK(passed_over.size() == 1);
}

CATCH_TEST_CASE("a disk without room is refused before writing, with both figures") {
  SmallDisk disk("size=300k");
  if (!disk.refused.empty()) {
    CATCH_WARN("SKIPPED: " << disk.refused);
    return;
  }
  const fs::path folder = disk.scratch.folder / "checkpoints";
  save(folder, 1, sample(1));
  try {
    save(folder, 2, sample(2, 400));
    CATCH_FAIL("saved");
  } catch (const DataError& e) {
    CATCH_CHECK(e.code() == Exit::kIo);
    CATCH_CHECK_THAT(e.what(), Catch::Matches(folder.string() +
                                              ": has no room for a checkpoint; expected \\d+ bytes "
                                              "free; found \\d+ bytes free"));
  }
  CATCH_CHECK(std::distance(fs::directory_iterator(folder), {}) == 1);
  verify(folder / "step-000000001");
}

CATCH_TEST_CASE("a disk that fills up during a save leaves nothing behind") {
  SmallDisk disk(
      "size=4m,nr_inodes=6");  // root, checkpoints, step-1 and its two files: one is left
  if (!disk.refused.empty()) {
    CATCH_WARN("SKIPPED: " << disk.refused);
    return;
  }
  const fs::path folder = disk.scratch.folder / "checkpoints";
  save(folder, 1, sample(1));
  try {
    save(folder, 2, sample(2));
    CATCH_FAIL("saved");
  } catch (const DataError& e) {
    CATCH_CHECK(e.code() == Exit::kIo);
    CATCH_CHECK_THAT(
        e.what(), Catch::Contains("step-000000002") && Catch::Contains("No space left on device"));
  }
  CATCH_CHECK(std::distance(fs::directory_iterator(folder), {}) == 1);
  verify(folder / "step-000000001");
}

CATCH_TEST_CASE("a write that the system refuses half-way leaves nothing behind") {
  Scratch scratch;
  save(scratch.folder, 1, sample(1));
  std::string text;
  Exit code = Exit::kDone;
  try {
    const io::FileLimit limit(100000);
    save(scratch.folder, 2, sample(2, 400));
  } catch (const DataError& e) {
    text = e.what();
    code = e.code();
  }
  CATCH_CHECK(code == Exit::kIo);
  CATCH_CHECK_THAT(text,
                   Catch::Contains("step-000000002/state.h5") && Catch::Contains("File too large"));
  CATCH_CHECK(std::distance(fs::directory_iterator(scratch.folder), {}) == 1);
  verify(scratch.folder / "step-000000001");
}

CATCH_TEST_CASE("kill -9 at any moment of saving leaves an old or a new one whole") {
  Scratch scratch;
  save(scratch.folder, 0, sample(0));
  for (std::uint64_t round = 0; round < 25; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      for (std::int64_t step = 1;; ++step) {
        save(scratch.folder, step % 3, sample(static_cast<int>(step % 3), 400));
        prune(scratch.folder, 2, {.last = 2});
      }
    }
    usleep(static_cast<useconds_t>(20000 + draw(3000 + round, 60000)));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    CATCH_REQUIRE(WIFSIGNALED(status));
    std::vector<std::string> passed_over;
    const auto newest = newest_valid(scratch.folder, passed_over);
    CATCH_REQUIRE(newest);
    CATCH_CHECK(passed_over.empty());
    CATCH_CHECK(load(newest->path).numbers.at("step") == newest->step);
  }
}
