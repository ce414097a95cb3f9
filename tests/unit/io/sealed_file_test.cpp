#include "io/sealed_file.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <numeric>
#include <random>

#include "base/error.h"
#include "io/files.h"

using namespace cellmill;
using namespace cellmill::io;

namespace {

const fs::path kFolder =
    fs::temp_directory_path() / ("cellmill_sealed_file_" + std::to_string(getpid()));

/// Three blocks and a bit; the bulk is the middle of them.
fs::path sealed(const std::string& name) {
  fs::create_directories(kFolder);
  std::string content(3 * kBlockBytes + 100, '\0');
  std::mt19937 random(1);
  for (std::size_t i = 0; i < content.size(); i += 97) content[i] = static_cast<char>(random());
  const fs::path path = kFolder / name;
  std::ofstream(path, std::ios::binary) << content;
  seal_file(path, {1000, 3 * kBlockBytes});
  return path;
}

void flip(const fs::path& path, std::uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(file.get() ^ 4);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

template <class Function>
std::string refusal(Function act) {
  try {
    act();
  } catch (const DataError& error) {
    CATCH_CHECK(error.code() == Exit::kData);
    CATCH_CHECK(error.hint() == "copy it again");
    return error.what();
  }
  return "accepted";
}

}  // namespace

CATCH_TEST_CASE("a sealed file is read, at its place", "[sealed_file]") {
  const fs::path path = sealed("whole");
  const std::string content = read_text(path);
  const SealedFile file(path, true, "copy it again");
  CATCH_CHECK(file.bytes() == 3 * kBlockBytes + 100);
  CATCH_CHECK(file.bulk().begin == 1000);
  std::string part(5000, ' ');
  file.read(part.data(), part.size(), kBlockBytes - 2500);
  CATCH_CHECK(part == content.substr(kBlockBytes - 2500, 5000));
  file.verify();
  CATCH_CHECK(refusal([&] {
                file.read(part.data(), 101, 3 * kBlockBytes);
              }).ends_with("leads out of the file; expected within 12583012"));
  fs::remove_all(kFolder);
}

CATCH_TEST_CASE("damage is found with its place, in the bulk when it is read", "[sealed_file]") {
  const auto open = [](const fs::path& path) { return SealedFile(path, true, "copy it again"); };
  const fs::path first = sealed("first");
  flip(first, 5);
  CATCH_CHECK(refusal([&] { open(first); }).find("first: bytes 0 to 4194303: is damaged") !=
              std::string::npos);
  const fs::path bulk = sealed("bulk");
  flip(bulk, kBlockBytes + 7);
  const SealedFile file = open(bulk);
  char byte = 0;
  file.read(&byte, 1, 2 * kBlockBytes + 7);
  for (int twice = 0; twice < 2; ++twice)
    CATCH_CHECK(refusal([&] {
                  file.read(&byte, 1, 2 * kBlockBytes - 1);
                }).find("bulk: bytes 4194304 to 8388607: is damaged; expected digest ") !=
                std::string::npos);
  CATCH_CHECK(refusal([&] { file.verify(); }) != "accepted");
  const SealedFile trusted(bulk, false, "");
  trusted.read(&byte, 1, kBlockBytes + 7);
  fs::remove_all(kFolder);
}

CATCH_TEST_CASE("every cut and every changed byte of the end is found", "[sealed_file]") {
  const fs::path path = sealed("end");
  const auto size = fs::file_size(path);
  for (std::uint64_t at = 3 * kBlockBytes; at < size; at += 3) {
    flip(path, at);
    CATCH_CHECK(refusal([&] { SealedFile(path, true, "copy it again"); }) != "accepted");
    flip(path, at);
  }
  SealedFile(path, true, "");
  for (const std::uint64_t left : {size - 1, size - 16, size - 17, 3 * kBlockBytes + 100,
                                   2 * kBlockBytes, std::uint64_t{16}, std::uint64_t{0}}) {
    fs::resize_file(path, left);
    CATCH_CHECK(refusal([&] { SealedFile(path, true, "copy it again"); })
                    .find("is cut short or damaged at its end; expected digests of all blocks at "
                          "the end; found none") != std::string::npos);
  }
  fs::remove_all(kFolder);
}
