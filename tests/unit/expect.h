#pragma once
// What tests share: a folder that removes itself, and the error that a call throws.
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace cellmill {

struct Scratch {
  std::filesystem::path folder;
  Scratch() {
    static std::atomic<int> counter{0};
    folder = std::filesystem::temp_directory_path() /
             ("cellmill-test-" + std::to_string(::getpid()) + "-" + std::to_string(counter++));
    std::filesystem::create_directories(folder);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  Scratch(const Scratch&) = delete;
  std::string operator/(const std::string& name) const { return (folder / name).string(); }
};

/// "CODE TEXT" of the Error that `call` throws; anything else leaves the test.
template <class F>
std::string error_of(F call) {
  try {
    call();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.code())) + " " + error.text();
  }
  return "no error";
}

}  // namespace cellmill
