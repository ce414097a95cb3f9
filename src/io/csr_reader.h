#pragma once
// Rows of a scipy CSR .npz without reading the rest: the three arrays are found once, then ranges
// of stored ones are read at their place in the file; deflated ones have no places and are read
// whole. Opening reads the zip directory and the small members; the descriptor stays open. Entries
// are converted to int32 and float32. Reading is thread-safe. Errors are DataError with file and
// member. CRCs are checked where a member is read whole, and only there.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/unset_vector.h"
#include "io/npz.h"
#include "io/zip.h"

namespace cellmill::io {

class CsrReader {
 public:
  explicit CsrReader(const std::string& path);
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  /// Stored entries; where they are deflated, by the size of the member.
  std::int64_t entries() const;
  /// Are the entries stored, so that a range of them can be read alone?
  bool by_range() const;

  /// [rows + 1], from 0, rising, ending with entries().
  std::vector<std::int64_t> read_indptr() const;
  /// Appends entries [begin, end); whole arrays only unless by_range(). Returns the bytes read
  /// from the file.
  std::int64_t append_entries(std::int64_t begin, std::int64_t end,
                              UnsetVector<std::int32_t>& indices, UnsetVector<float>& values) const;
  /// Asks the system to read them soon, in the background.
  void expect_entries(std::int64_t begin, std::int64_t end) const;

 private:
  struct Array {
    const ZipMember* member = nullptr;
    std::uint64_t at = 0;  // of its first byte in the file
    NpyHeader header;      // of a stored one
    bool stored() const { return member->method == 0; }
    std::int64_t size() const { return header.shape.at(0); }
  };
  Array find(const std::string& name) const;
  void read_stored(const Array& array, std::uint64_t from, std::span<std::uint8_t> to) const;
  template <class T>
  std::int64_t append(const Array& array, std::int64_t begin, std::int64_t end,
                      UnsetVector<T>& to) const;
  template <class T>
  void append_whole(const Array& array, std::int64_t size, UnsetVector<T>& to) const;

  ZipFile zip_;
  std::int64_t rows_ = 0, columns_ = 0;
  Array indptr_, indices_, values_;
};

}  // namespace cellmill::io
