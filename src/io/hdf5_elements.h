#pragma once
// Ranges of a 1-d dataset, read around the HDF5 library: where its bytes lie in the file is asked
// once, then any number of threads read them by position and inflate them, without the library's
// lock. That goes for little-endian integers and floats of 4 and 8 bytes, contiguous or in chunks,
// plain, deflated, or byte-shuffled and deflated; anything else goes through the library, as
// `direct` says. Format: HDF5 File Format Specification 3.0, filters 1 and 2. Errors are DataError.
#include <cstdint>
#include <string>
#include <vector>

#include "base/unset_vector.h"
#include "io/descriptor.h"
#include "io/hdf5.h"

namespace cellmill::io {

/// T: int32 or float; stored values of 8 bytes are converted, int64 must fit.
template <class T>
class H5Elements {
 public:
  /// `file` must outlive it.
  H5Elements(const H5File& file, const std::string& dataset);
  std::int64_t size() const { return size_; }
  bool direct() const { return direct_; }
  /// Appends elements [begin, end). Returns the bytes read from the file. Thread-safe.
  std::int64_t append(std::int64_t begin, std::int64_t end, UnsetVector<T>& to) const;
  /// Asks the system to read them soon, in the background.
  void expect(std::int64_t begin, std::int64_t end) const;

 private:
  struct Piece {  // a chunk, or all of a contiguous dataset
    std::uint64_t at = 0, bytes = 0;
    bool inflate = false, unshuffle = false;
  };
  bool find_pieces();
  std::int64_t append_from(std::size_t piece, std::int64_t begin, std::int64_t end, T* to) const;
  const std::uint8_t* plain_bytes(std::size_t piece, std::int64_t& bytes_read) const;
  void convert(const std::uint8_t* from, std::int64_t count, T* to) const;

  const H5File& file_;
  std::string dataset_;
  Descriptor descriptor_;
  std::uint64_t serial_ = 0;  // of this object, for what threads remember of it
  std::int64_t size_ = 0;
  std::int64_t piece_elements_ = 0;
  std::size_t width_ = 0;  // bytes of a stored element
  bool direct_ = false;
  std::vector<Piece> pieces_;
};

}  // namespace cellmill::io
