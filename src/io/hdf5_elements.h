#pragma once
// Ranges of a 1-d dataset by any number of threads, around what is slow in the HDF5 library.
// Contiguous data are read by position, without the library. Of chunked data, plain, deflated, or
// byte-shuffled and deflated, the library gives the raw bytes of a chunk under its lock, and they
// are inflated outside of it (HDF5 1.10 tells the places of chunks only in quadratic time). That
// goes for little-endian integers and floats of 4 and 8 bytes; anything else goes through the
// library, as `direct` says. Format: HDF5 File Format Specification 3.0, filters 1 and 2. Errors
// are DataError.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/unset_vector.h"
#include "io/descriptor.h"
#include "io/hdf5.h"

namespace cellmill::io {

/// Elements of a 1-d dataset; throws for others.
std::int64_t length_of(const H5File& file, const std::string& dataset);

/// T: int32 or float; stored values of 8 bytes are converted, int64 must fit.
template <class T>
class H5Elements {
 public:
  /// `file` must outlive it.
  H5Elements(const H5File& file, const std::string& dataset);
  ~H5Elements();
  std::int64_t size() const { return size_; }
  bool direct() const { return direct_; }
  /// Appends elements [begin, end). Returns the bytes read from the file. Thread-safe.
  std::int64_t append(std::int64_t begin, std::int64_t end, UnsetVector<T>& to) const;
  /// Asks the system to read them soon, in the background.
  void expect(std::int64_t begin, std::int64_t end) const;

 private:
  struct Chunks;  // the open dataset and its filters, or none
  bool open(const std::string& dataset);
  std::int64_t append_contiguous(std::int64_t begin, std::int64_t end, T* to) const;
  /// A chunk's elements, in memory of the calling thread.
  const std::uint8_t* chunk(std::int64_t number, std::int64_t& bytes_read) const;
  void convert(const std::uint8_t* from, std::int64_t count, T* to) const;

  const H5File& file_;
  const std::string dataset_;
  Descriptor descriptor_;
  std::uint64_t serial_ = 0;  // of this object, for what threads remember of it
  std::int64_t size_ = 0;
  std::size_t width_ = 0;         // bytes of a stored element
  std::uint64_t contiguous_ = 0;  // place of its first byte
  std::unique_ptr<const Chunks> chunks_;
  bool direct_ = false;
};

}  // namespace cellmill::io
