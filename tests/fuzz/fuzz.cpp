#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/log.h"

namespace cellmill::fuzz {
namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    log::set_console_level(log::Level::kError);
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    std::string name = std::string(memory ? "/dev/shm" : "/tmp") + "/cellmill-fuzz-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      std::perror(name.c_str());
      std::exit(74);
    }
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

const std::filesystem::path& folder() {
  static const Folder made;
  return made.path;
}

std::string write_file(const std::string& name, std::string_view content) {
  const std::string path = (folder() / name).string();
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  require(file >= 0 &&
          ::write(file, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  ::close(file);
  return path;
}

}  // namespace cellmill::fuzz
