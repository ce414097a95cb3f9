#pragma once
// What hdf5*.cpp share, and nobody else includes: the lock around the library, ids that close
// themselves, HDF5's words in our errors, and its types of text and numbers.
#include <hdf5.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "io/hdf5.h"

namespace cellmill::io::h5 {

/// While one lives, the library is ours alone, and prints nothing itself.
class Locked {
 public:
  Locked();

 private:
  std::lock_guard<std::recursive_mutex> lock_;
};

/// Where in which file: for errors.
struct Spot {
  const std::string& file;
  std::string where;
};

/// Throws "WHAT: HDF5's most specific message", or the system's words where HDF5 quotes them (74).
[[noreturn]] void fail(const Spot& spot, const std::string& what, Exit code = Exit::kData);
/// Returns `result` of an HDF5 call if it is not negative, else throws as `fail` does.
template <class R>
R check(R result, const Spot& spot, const std::string& what, Exit code = Exit::kData) {
  if (result < 0) fail(spot, what, code);
  return result;
}

class Id {
 public:
  Id() = default;
  Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Id(Id&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Id& operator=(Id&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Id() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }
  hid_t release() { return std::exchange(id_, -1); }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

/// Dataset or attribute: what both can do, as the three calls that differ.
struct Source {
  Id object, type, space;
  herr_t (*read)(hid_t object, hid_t memory_type, void* data);
  std::int64_t count(const Spot& spot) const;
};
Source open_dataset(hid_t file, const Spot& spot, const std::string& name);
/// Text, variable-length or fixed; throws where it is none.
std::vector<std::string> read_texts(const Source& source, const Spot& spot);
/// Variable-length UTF-8.
Id text_type();
/// h5py's bool: an enumeration of int8 FALSE 0, TRUE 1.
Id bool_type();
std::vector<const char*> pointers(const std::vector<std::string>& texts);
Id space_of(const std::vector<std::int64_t>& shape);
/// Transfer properties that refuse, instead of clipping, what an integer type cannot hold; they say
/// so in `refused`, which must outlive them.
Id strict_transfer(bool& refused);

}  // namespace cellmill::io::h5

namespace cellmill::io {

struct H5File::Handle {
  h5::Id file;
  std::string path;
};

}  // namespace cellmill::io
