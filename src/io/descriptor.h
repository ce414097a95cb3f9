#pragma once
// An open file that closes itself, with whole reads and writes (short ones and EINTR are continued)
// and errors as DataError with the system's own words. Positional reads may run in any thread; the
// rest belongs to one thread.
#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace cellmill::io {

/// Throws DataError "cannot ACTION: strerror(code)". 66 where a file to read is not there, else 74.
[[noreturn]] void throw_system_error(const std::filesystem::path& path, const char* action,
                                     int code);

class Descriptor {
 public:
  enum class Mode { kRead, kCreateNew, kAppend, kUpdate };  ///< kUpdate: to write into a file
  Descriptor() = default;
  Descriptor(const std::filesystem::path& path, Mode mode);
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const;
  /// Bytes read at `offset`: less than asked only at the end of the file.
  std::size_t read_at(void* data, std::size_t bytes, std::uint64_t offset) const;
  /// Asks the system to read these bytes soon, in the background; any thread.
  void expect(std::uint64_t offset, std::uint64_t bytes) const;
  void write(const void* data, std::size_t bytes);
  /// All, or where the system refuses none: what got there is cut off again.
  void write_whole(const void* data, std::size_t bytes);
  void write_at(const void* data, std::size_t bytes, std::uint64_t offset);
  /// False if another process holds the lock; it is held until the file is closed.
  bool try_lock();
  void sync();
  void close();  ///< reports errors, the destructor is silent

 private:
  std::filesystem::path path_;
  int number_ = -1;
};

}  // namespace cellmill::io
