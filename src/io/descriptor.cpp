#include "io/descriptor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace cellmill::io {

void throw_system_error(const std::filesystem::path& path, const char* action, int code) {
  std::string what = std::string("cannot ") + action + ": " + std::strerror(code);
  if (code == ENOENT && std::string_view(action) == "read")
    throw DataError({path.string(), {}, {}, {}}, what, "check the path, and where you are",
                    Exit::kNoInput);
  std::string hint = code == ENOSPC || code == EDQUOT ? "make room, or write elsewhere" : "";
  throw DataError({path.string(), {}, {}, {}}, what, hint, Exit::kIo);
}

Descriptor::Descriptor(const std::filesystem::path& path, Mode mode) : path_(path) {
  int flags = mode == Mode::kRead        ? O_RDONLY
              : mode == Mode::kCreateNew ? O_WRONLY | O_CREAT | O_EXCL
              : mode == Mode::kUpdate    ? O_WRONLY
                                         : O_WRONLY | O_CREAT | O_APPEND;
  number_ = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  if (number_ < 0) throw_system_error(path_, mode == Mode::kRead ? "read" : "create", errno);
}

Descriptor::Descriptor(Descriptor&& other) noexcept
    : path_(std::move(other.path_)), number_(std::exchange(other.number_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(number_, other.number_);
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

std::uint64_t Descriptor::size() const {
  struct stat status {};
  if (::fstat(number_, &status) != 0) throw_system_error(path_, "read", errno);
  if (S_ISDIR(status.st_mode)) throw_system_error(path_, "read", EISDIR);
  return static_cast<std::uint64_t>(status.st_size);
}

std::size_t Descriptor::read_at(void* data, std::size_t bytes, std::uint64_t offset) const {
  std::size_t done = 0;
  while (done < bytes) {
    ssize_t n = ::pread(number_, static_cast<char*>(data) + done, bytes - done,
                        static_cast<off_t>(offset + done));
    if (n == 0) break;
    if (n < 0 && errno != EINTR) throw_system_error(path_, "read", errno);
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  return done;
}

void Descriptor::expect(std::uint64_t offset, std::uint64_t bytes) const {
  if (bytes == 0) return;
#ifdef RWF_NOWAIT
  const auto in_memory = [&](std::uint64_t at) {
    char byte;
    iovec to{&byte, 1};
    return ::preadv2(number_, &to, 1, static_cast<off_t>(at), RWF_NOWAIT) == 1;
  };
  if (in_memory(offset) && in_memory(offset + bytes / 2) && in_memory(offset + bytes - 1)) return;
#endif
  ::posix_fadvise(number_, static_cast<off_t>(offset), static_cast<off_t>(bytes),
                  POSIX_FADV_WILLNEED);
}

void Descriptor::write(const void* data, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    ssize_t n = ::write(number_, static_cast<const char*>(data) + done, bytes - done);
    if (n < 0 && errno != EINTR) throw_system_error(path_, "write", errno);
    if (n > 0) done += static_cast<std::size_t>(n);
  }
}

void Descriptor::write_whole(const void* data, std::size_t bytes) {
  const auto before = static_cast<off_t>(size());
  try {
    write(data, bytes);
  } catch (const DataError&) {
    if (::ftruncate(number_, before) == 0) ::lseek(number_, before, SEEK_SET);
    throw;
  }
}

void Descriptor::write_at(const void* data, std::size_t bytes, std::uint64_t offset) {
  for (std::size_t done = 0; done < bytes;) {
    ssize_t n = ::pwrite(number_, static_cast<const char*>(data) + done, bytes - done,
                         static_cast<off_t>(offset + done));
    if (n < 0 && errno != EINTR) throw_system_error(path_, "write", errno);
    if (n > 0) done += static_cast<std::size_t>(n);
  }
}

bool Descriptor::try_lock() {
  if (::flock(number_, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) throw_system_error(path_, "lock", errno);
  return false;
}

void Descriptor::sync() {
  if (::fsync(number_) != 0) throw_system_error(path_, "sync", errno);
}

void Descriptor::close() {
  if (number_ >= 0 && ::close(std::exchange(number_, -1)) != 0)
    throw_system_error(path_, "close", errno);
}

}  // namespace cellmill::io
