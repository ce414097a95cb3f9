#include "io/files.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "expect.h"
#include "file_limit.h"
#include "io/digest.h"

using namespace cellmill;
using namespace cellmill::io;
using Catch::Contains;

namespace {
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}
}  // namespace

CATCH_TEST_CASE("a digest is XXH3 of the bytes, in memory and on disk", "[digest]") {
  // that of nothing is published with xxHash
  CATCH_CHECK(digest("") == "2d06800538d394c2");
  CATCH_CHECK(digest("cellmill") != digest("cellmilk"));
  Scratch scratch;
  std::string large(3'000'000, 'x');
  large[2'999'999] = 'y';
  write_text_atomically(scratch / "large", large);
  CATCH_CHECK(digest_file(scratch / "large") == digest(large));
  CATCH_CHECK(error_of([&] { digest_file(scratch / "none"); }) ==
              "66 " + scratch / "none" +
                  ": cannot read: No such file or directory\n  hint: check the path, and where you "
                  "are");
}

CATCH_TEST_CASE("text is replaced whole and leaves no temporary", "[files]") {
  Scratch scratch;
  write_text_atomically(scratch / "a", "one");
  write_text_atomically(scratch / "a", "two\n");
  CATCH_CHECK(read_text(scratch / "a") == "two\n");
  CATCH_CHECK(names_in(scratch.folder) == std::vector<std::string>{"a"});
  CATCH_CHECK(read_text("/proc/self/comm").substr(0, 5) == "unit_");
}

CATCH_TEST_CASE("what the system refuses is said in its words", "[files]") {
  Scratch scratch;
  CATCH_CHECK_THAT(error_of([&] { read_text(scratch / "none"); }),
                   Contains("66 ") && Contains("none: cannot read: No such file"));
  CATCH_CHECK_THAT(error_of([&] { read_text(scratch.folder); }),
                   Contains("74 ") && Contains("cannot read: Is a directory"));
  CATCH_CHECK_THAT(
      error_of([&] { write_text_atomically(scratch / "no/folder", ""); }),
      Contains("74 " + scratch / "no/folder: cannot create: No such file or directory"));
  CATCH_CHECK_THAT(error_of([&] { LineFile("/dev/full").append("line"); }),
                   Contains("74 /dev/full: cannot write: No space left on device\n  hint: make "
                            "room, or write elsewhere"));
}

CATCH_TEST_CASE("a folder appears whole or not at all", "[files]") {
  Scratch scratch;
  fs::path target = scratch / "step-1";
  auto fill = [](const fs::path& folder) {
    fs::create_directories(folder / "deep");
    write_text_atomically(folder / "deep" / "state", "bytes");
  };
  CATCH_CHECK_THROWS_AS(publish_folder(target,
                                       [&](const fs::path& folder) {
                                         fill(folder);
                                         throw std::runtime_error("disk on fire");
                                       }),
                        std::runtime_error);
  CATCH_CHECK(names_in(scratch.folder).empty());
  publish_folder(target, fill);
  CATCH_CHECK(read_text(target / "deep" / "state") == "bytes");
  CATCH_CHECK(names_in(scratch.folder) == std::vector<std::string>{"step-1"});
  CATCH_CHECK_THAT(error_of([&] { publish_folder(target, fill); }),
                   Contains("74 ") && Contains("step-1: exists already"));
  CATCH_CHECK(read_text(target / "deep" / "state") == "bytes");
}

CATCH_TEST_CASE("lines are appended, and filtered before a resumed run", "[files]") {
  Scratch scratch;
  fs::path path = scratch / "metrics.jsonl";
  LineFile::filter(path, [](std::string_view) { return true; });
  CATCH_CHECK(!fs::exists(path));
  {
    LineFile lines(path);
    for (int step = 1; step <= 4; ++step) lines.append("step " + std::to_string(step));
  }
  std::ofstream(path, std::ios::app) << "step 5, cut";
  LineFile::filter(path, [](std::string_view line) { return line < "step 3"; });
  LineFile(path).append("step 3 again");
  CATCH_CHECK(read_text(path) == "step 1\nstep 2\nstep 3 again\n");
}

CATCH_TEST_CASE("lines that a limit refuses are kept, and no half line stays", "[files]") {
  Scratch scratch;
  const fs::path path = scratch / "metrics.jsonl";
  LineFile lines(path);
  lines.append("first");
  {
    const FileLimit limit(10);
    for (const char* line : {"second", "third"})
      CATCH_CHECK_THAT(error_of([&] { lines.append(line); }), Contains("File too large"));
    CATCH_CHECK(read_text(path) == "first\n");
    CATCH_CHECK_THAT(error_of([&] { lines.sync(); }), Contains("File too large"));
  }
  lines.sync();
  CATCH_CHECK(read_text(path) == "first\nsecond\nthird\n");
}

CATCH_TEST_CASE("free space is that of the file system", "[files]") {
  CATCH_CHECK(free_bytes("/proc") == 0);
  CATCH_CHECK(free_bytes(fs::temp_directory_path()) > 0);
}
