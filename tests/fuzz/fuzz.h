#pragma once
// What every fuzz target shares: input as a script of choices, input as a file, and the one thing
// that a parser may do with what it does not like: throw DataError or UsageError. A target is one
// file with LLVMFuzzerTestOneInput; whatever else escapes from it, a sanitizer's report included,
// is a finding. Built with libFuzzer by the preset `fuzz`, and everywhere with replay_main.cpp.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace cellmill::fuzz {

/// Runs a parser. True if it took the input; false if it refused it in words.
template <class Function>
bool accepted(Function parse) {
  try {
    parse();
    return true;
  } catch (const DataError&) {
  } catch (const UsageError&) {
  }
  return false;
}

/// A promise of ours; broken, it is a finding.
inline void require(bool holds) {
  if (!holds) __builtin_trap();
}

/// Choices, from the front of the input on; zeros where it has ended.
class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
  template <class T>
  T take() {
    T value{};
    const std::size_t bytes = std::min(sizeof value, rest_.size());
    std::memcpy(&value, rest_.data(), bytes);
    rest_ = rest_.subspan(bytes);
    return value;
  }
  /// One of 0 .. count-1.
  std::size_t choose(std::size_t count) { return take<std::uint8_t>() % count; }
  bool yes() { return (take<std::uint8_t>() & 1) != 0; }
  /// Up to `most` bytes, as many as the next byte says.
  std::string_view bytes(std::size_t most) {
    const std::size_t size = std::min({std::size_t{take<std::uint8_t>()}, most, rest_.size()});
    return cut(size);
  }
  std::string_view rest() { return cut(rest_.size()); }
  bool ended() const { return rest_.empty(); }
  template <class T>
  std::vector<T> list(std::size_t count) {
    std::vector<T> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(take<T>());
    return values;
  }

 private:
  std::string_view cut(std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(rest_.data()), size);
    rest_ = rest_.subspan(size);
    return text;
  }
  std::span<const std::uint8_t> rest_;
};

/// A folder in memory that lives as long as the process and goes with it.
const std::filesystem::path& folder();
/// Writes a file into `folder()` and returns its path.
std::string write_file(const std::string& name, std::string_view content);

}  // namespace cellmill::fuzz
