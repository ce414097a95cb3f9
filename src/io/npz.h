#pragma once
// numpy's .npy arrays and scipy's sparse .npz, as plain vectors. Byte orders and types are
// converted; object arrays (pickles) are refused. Errors are DataError with file and member.
// Format: numpy/lib/format.py (versions 1 to 3), scipy/sparse/_matrix_io.py.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cellmill::io {

class ZipFile;
class ZipWriter;
struct ZipMember;

struct NpyArray {
  std::string dtype;  ///< numpy's descr, e.g. "<f4", "|S3"
  std::vector<std::int64_t> shape;
  bool fortran_order = false;       ///< the values below are in this order
  std::vector<std::uint8_t> bytes;  ///< size() times the bytes of one value
  std::int64_t size() const;        ///< product of the shape
  /// Converted from any integer, truth or float type of up to 8 bytes; throws DataError for others,
  /// and for a value that does not fit (an integer that is too large, a fraction, a float64 beyond
  /// float32; inf and NaN are floats).
  std::vector<std::int64_t> to_int64(const std::string& file, const std::string& member) const;
  std::vector<std::int32_t> to_int32(const std::string& file, const std::string& member) const;
  std::vector<float> to_float(const std::string& file, const std::string& member) const;
  /// Of fixed-width bytes (|S) or unicode (<U), as UTF-8.
  std::vector<std::string> to_strings(const std::string& file, const std::string& member) const;
};

NpyArray parse_npy(std::vector<std::uint8_t> bytes, const std::string& file,
                   const std::string& member);

/// What stands before the values.
struct NpyHeader {
  std::string dtype;
  std::vector<std::int64_t> shape;
  bool fortran_order = false;
  std::size_t width = 0;  ///< bytes of one value
  std::size_t bytes = 0;  ///< of the header
};
/// Of an array of `total` bytes, from its first ones: as many as npy_header_bytes says.
NpyHeader parse_npy_header(std::span<const std::uint8_t> head, std::uint64_t total,
                           const std::string& file, const std::string& member);
/// Bytes of the header, by its first 12 bytes.
std::size_t npy_header_bytes(std::span<const std::uint8_t> head);

struct CsrView {
  std::int64_t rows, columns;
  std::span<const std::int64_t> indptr;
  std::span<const std::int32_t> indices;
  std::span<const float> values;
};

/// scipy.sparse.save_npz of a csr_matrix or csr_array. csc, coo and others are refused with the
/// line that converts.
struct CsrFile {
  std::int64_t rows = 0, columns = 0;
  std::vector<std::int64_t> indptr;
  std::vector<std::int32_t> indices;
  std::vector<float> values;
  operator CsrView() const { return {rows, columns, indptr, indices, values}; }
};
/// Reads the shape alone (cheap): {rows, columns}.
std::pair<std::int64_t, std::int64_t> read_csr_shape(const std::string& path);
std::pair<std::int64_t, std::int64_t> read_csr_shape(const ZipFile& zip);
/// The member NAME.npy; throws where it is not there.
const ZipMember& csr_member(const ZipFile& zip, const std::string& name);
/// Throws unless `indptr` is that of `rows` rows of `entries` entries: from 0, rising.
void check_indptr(const std::vector<std::int64_t>& indptr, std::int64_t rows, std::int64_t entries,
                  const std::string& path);
/// Structure is checked (lengths, rising indptr, columns in range, finite); values are not judged
/// otherwise. Columns of a row may come in any order.
CsrFile read_csr(const std::string& path);
/// As scipy.sparse.save_npz(path, csr_matrix, compressed) writes it. Written atomically.
void write_csr(const std::string& path, const CsrView& matrix, bool compressed);

/// Dense arrays, stored, as numpy.savez writes them. Held in memory until `close`.
class NpzWriter {
 public:
  explicit NpzWriter(const std::string& path);
  void add(const std::string& name, std::span<const float> values,
           const std::vector<std::int64_t>& shape);
  void add(const std::string& name, std::span<const std::int64_t> values,
           const std::vector<std::int64_t>& shape);
  void add(const std::string& name,
           const std::vector<std::string>& values);  ///< fixed-width unicode
  void close();                                      ///< publishes the file

 private:
  friend class NpzRowsWriter;
  std::string path_;
  std::vector<std::pair<std::string, std::vector<std::uint8_t>>> members_;
};

/// The same with one array in front that is written row by row, of any size; the others are held.
/// `path` must not exist; nothing is promised before `close`.
class NpzRowsWriter {
 public:
  /// `name`: float32 [rows, columns].
  NpzRowsWriter(const std::string& path, const std::string& name, std::int64_t columns);
  ~NpzRowsWriter();
  void append(std::span<const float> rows);
  NpzWriter& others() { return others_; }
  void close();

 private:
  std::unique_ptr<ZipWriter> zip_;
  std::int64_t columns_, values_ = 0;
  NpzWriter others_;
};

}  // namespace cellmill::io
