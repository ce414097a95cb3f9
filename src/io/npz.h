#pragma once
// numpy's .npy arrays and scipy's sparse .npz, as plain vectors. Byte orders and types are
// converted; object arrays (pickles) are refused. Errors are DataError with file and member.
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "io/zip.h"

namespace cellmill::io {

struct NpyArray {
  std::string dtype;  ///< numpy's descr, e.g. "<f4", "|S3"
  std::vector<std::int64_t> shape;
  bool fortran_order = false;
  std::vector<std::uint8_t> bytes;
  std::int64_t size() const;  ///< product of the shape
  /// Converted from any integer or float type; throws DataError (`place` in the message) for others
  /// or values that do not fit.
  std::vector<std::int64_t> to_int64(const std::string& file, const std::string& member) const;
  std::vector<std::int32_t> to_int32(const std::string& file, const std::string& member) const;
  std::vector<float> to_float(const std::string& file, const std::string& member) const;
};

NpyArray parse_npy(std::vector<std::uint8_t> bytes, const std::string& file,
                   const std::string& member);

/// scipy.sparse.save_npz of a csr_matrix or csr_array. csc and coo are refused with the line that
/// converts.
struct CsrFile {
  std::int64_t rows = 0, columns = 0;
  std::vector<std::int64_t> indptr;
  std::vector<std::int32_t> indices;
  std::vector<float> values;
};
/// Reads the shape alone (cheap): {rows, columns}.
std::pair<std::int64_t, std::int64_t> read_csr_shape(const std::string& path);
/// Structure is checked (lengths, rising indptr, columns in range, finite); values are not judged
/// otherwise.
CsrFile read_csr(const std::string& path);
/// As scipy.sparse.save_npz(path, csr_matrix, compressed) writes it. Written atomically.
void write_csr(const std::string& path, const CsrFile& matrix, bool compressed);
/// Dense float32 and string arrays, as numpy.savez writes them.
struct NpzWriter {
  explicit NpzWriter(const std::string& path);
  void add(const std::string& name, std::span<const float> values,
           const std::vector<std::int64_t>& shape);
  void add(const std::string& name, std::span<const std::int64_t> values,
           const std::vector<std::int64_t>& shape);
  void add(const std::string& name,
           const std::vector<std::string>& values);  ///< fixed-width unicode
  void close();                                      ///< publishes the file

 private:
  std::string path_;
  std::vector<std::pair<std::string, std::vector<std::uint8_t>>> members_;
};

}  // namespace cellmill::io
