#include "io/npz.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <tuple>

#include "base/error.h"
#include "base/format.h"
#include "base/utf8.h"
#include "io/files.h"
#include "io/little_endian.h"
#include "io/zip.h"

namespace cellmill::io {

namespace {

using Bytes = std::vector<std::uint8_t>;
using Shape = std::vector<std::int64_t>;

constexpr std::uint64_t kMostSmallBytes = 1 << 16;  // of a format or a shape, with its header

NpyArray member_of(const ZipFile& zip, const std::string& name,
                   std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) {
  const ZipMember& member = csr_member(zip, name);
  if (member.bytes > most)
    throw DataError({zip.path(), "member " + member.name,
                     "at most " + std::to_string(most) + " bytes", std::to_string(member.bytes)},
                    "is too large for what it is");
  return parse_npy(zip.read(member), zip.path(), member.name);
}

/// "row R, column C" of the stored value `at`.
std::string place_of(const CsrFile& matrix, std::size_t at) {
  auto row =
      std::upper_bound(matrix.indptr.begin(), matrix.indptr.end(), static_cast<std::int64_t>(at)) -
      matrix.indptr.begin() - 1;
  return "row " + std::to_string(row) + ", column " + std::to_string(matrix.indices[at]);
}

void check_values(const CsrFile& matrix, const std::string& path) {
  for (std::size_t i = 0; i < matrix.indices.size(); ++i)
    if (matrix.indices[i] < 0 || matrix.indices[i] >= matrix.columns)
      throw DataError(
          {path, place_of(matrix, i), "columns 0 to " + std::to_string(matrix.columns - 1),
           std::to_string(matrix.indices[i])},
          "is out of range");
  for (std::size_t i = 0; i < matrix.values.size(); ++i)
    if (!std::isfinite(matrix.values[i]))
      throw DataError(
          {path, place_of(matrix, i), "a finite value", std::to_string(matrix.values[i])},
          "is not finite");
}

/// numpy.lib.format, version 1; as long as `bytes`, if that is more than it needs.
std::string npy_header(const std::string& descr, const Shape& shape, std::size_t bytes = 0) {
  std::string sizes;
  for (std::int64_t extent : shape) sizes += std::to_string(extent) + ", ";
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  if (shape.size() == 1) sizes.pop_back();
  std::string header =
      "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + sizes + "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  if (11 + header.size() < bytes) header.append(bytes - 11 - header.size(), ' ');
  header += '\n';
  std::string text = "\x93NUMPY";
  text += '\1';
  text += '\0';
  put<std::uint16_t>(text, static_cast<std::uint16_t>(header.size()));
  return text + header;
}

/// Version 1 header and `bytes`: numpy.lib.format.write_array.
Bytes npy(const std::string& descr, const Shape& shape, const void* data, std::size_t bytes) {
  const std::string text = npy_header(descr, shape);
  Bytes result(text.begin(), text.end());
  const auto* from = static_cast<const std::uint8_t*>(data);
  result.insert(result.end(), from, from + bytes);
  return result;
}

template <class T>
Bytes npy_of(const char* descr, std::span<const T> values, const Shape& shape,
             const std::string& name) {
  std::int64_t size =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  if (size != static_cast<std::int64_t>(values.size()))
    throw InternalError(name + ": " + std::to_string(values.size()) +
                        " values do not fill the shape of " + std::to_string(size));
  return npy(descr, shape, values.data(), values.size_bytes());
}

/// int32 where everything fits, as scipy chooses.
template <class T>
Bytes npy_of_indices(std::span<const T> values, bool wide) {
  Shape shape{static_cast<std::int64_t>(values.size())};
  if (wide) {
    std::vector<std::int64_t> copy(values.begin(), values.end());
    return npy("<i8", shape, copy.data(), copy.size() * 8);
  }
  std::vector<std::int32_t> copy(values.begin(), values.end());
  return npy("<i4", shape, copy.data(), copy.size() * 4);
}

}  // namespace

const ZipMember& csr_member(const ZipFile& zip, const std::string& name) {
  const ZipMember* member = zip.find(name + ".npy");
  if (!member)
    throw DataError({zip.path(), {}, {}, {}}, "is no sparse matrix: it lacks " + name + ".npy",
                    "scipy.sparse.save_npz writes what cellmill reads");
  return *member;
}

std::pair<std::int64_t, std::int64_t> read_csr_shape(const ZipFile& zip) {
  std::vector<std::string> format =
      member_of(zip, "format", kMostSmallBytes).to_strings(zip.path(), "format.npy");
  if (format.size() != 1 || format[0] != "csr")
    throw DataError({zip.path(), "member format.npy", "csr", format.empty() ? "" : format[0]},
                    "is a sparse matrix of another format",
                    "convert it: python -c \"import scipy.sparse as s; p = '" + zip.path() +
                        "'; s.save_npz(p, s.load_npz(p).tocsr())\"");
  Shape shape = member_of(zip, "shape", kMostSmallBytes).to_int64(zip.path(), "shape.npy");
  constexpr std::int64_t kMostRows = std::int64_t{1} << 48,
                         kMostColumns = std::numeric_limits<std::int32_t>::max();
  if (shape.size() != 2 || shape[0] < 0 || shape[0] > kMostRows || shape[1] < 0 ||
      shape[1] > kMostColumns)
    throw DataError({zip.path(), "member shape.npy",
                     fmt::format("rows of 0 to 2^48, columns of 0 to {}", kMostColumns),
                     fmt::format("{}", fmt::join(shape, " x "))},
                    "is no shape of rows and columns");
  return {shape[0], shape[1]};
}

std::pair<std::int64_t, std::int64_t> read_csr_shape(const std::string& path) {
  return read_csr_shape(ZipFile(path));
}

void check_indptr(const std::vector<std::int64_t>& indptr, std::int64_t rows, std::int64_t entries,
                  const std::string& path) {
  DataError::Place place{path, "member indptr.npy", {}, {}};
  if (indptr.size() != static_cast<std::size_t>(rows) + 1) {
    place.expected = std::to_string(rows + 1) + " numbers for " + std::to_string(rows) + " rows";
    place.found = std::to_string(indptr.size());
    throw DataError(place, "has another length than the shape says");
  }
  if (indptr.front() != 0) {
    place.expected = "0";
    place.found = std::to_string(indptr.front());
    throw DataError(place, "does not begin with 0");
  }
  auto fall = std::adjacent_find(indptr.begin(), indptr.end(), std::greater<>());
  if (fall != indptr.end()) {
    place.where += ", row " + std::to_string(fall - indptr.begin());
    place.expected = "at least " + std::to_string(fall[0]);
    place.found = std::to_string(fall[1]);
    throw DataError(place, "falls");
  }
  if (indptr.back() != entries) {
    place.expected = std::to_string(indptr.back()) + " values";
    place.found = std::to_string(entries);
    throw DataError(place, "ends elsewhere than the values");
  }
}

CsrFile read_csr(const std::string& path) {
  ZipFile zip(path);
  CsrFile matrix;
  std::tie(matrix.rows, matrix.columns) = read_csr_shape(zip);
  matrix.indptr = member_of(zip, "indptr").to_int64(path, "indptr.npy");
  matrix.indices = member_of(zip, "indices").to_int32(path, "indices.npy");
  matrix.values = member_of(zip, "data").to_float(path, "data.npy");
  if (matrix.indices.size() != matrix.values.size())
    throw DataError({path, "member indices.npy", std::to_string(matrix.values.size()) + " columns",
                     std::to_string(matrix.indices.size())},
                    "has another length than the values");
  check_indptr(matrix.indptr, matrix.rows, static_cast<std::int64_t>(matrix.values.size()), path);
  check_values(matrix, path);
  return matrix;
}

void write_csr(const std::string& path, const CsrView& matrix, bool compressed) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  bool wide = matrix.indptr.back() > kMost || matrix.columns > kMost;
  Shape shape{matrix.rows, matrix.columns};
  publish_file(path, [&](const fs::path& temporary) {
    ZipWriter zip(temporary);
    zip.add("indices.npy", npy_of_indices(matrix.indices, wide), compressed);
    zip.add("indptr.npy", npy_of_indices(matrix.indptr, wide), compressed);
    zip.add("format.npy", npy("|S3", {}, "csr", 3), compressed);
    zip.add("shape.npy", npy("<i8", {2}, shape.data(), 16), compressed);
    zip.add("data.npy",
            npy_of<float>("<f4", matrix.values, {static_cast<std::int64_t>(matrix.values.size())},
                          "data"),
            compressed);
    zip.close();
  });
}

NpzWriter::NpzWriter(const std::string& path) : path_(path) {}

void NpzWriter::add(const std::string& name, std::span<const float> values, const Shape& shape) {
  members_.emplace_back(name, npy_of("<f4", values, shape, name));
}

void NpzWriter::add(const std::string& name, std::span<const std::int64_t> values,
                    const Shape& shape) {
  members_.emplace_back(name, npy_of("<i8", values, shape, name));
}

void NpzWriter::add(const std::string& name, const std::vector<std::string>& values) {
  std::vector<std::u32string> texts;
  std::size_t width = 1;
  for (const std::string& value : values)
    width = std::max(width, texts.emplace_back(code_points(value)).size());
  std::u32string table;
  for (std::u32string& text : texts) table += (text.resize(width), text);
  members_.emplace_back(
      name, npy("<U" + std::to_string(width), {static_cast<std::int64_t>(values.size())},
                table.data(), table.size() * 4));
}

void NpzWriter::close() {
  publish_file(path_, [&](const fs::path& temporary) {
    ZipWriter zip(temporary);
    for (const auto& [name, bytes] : members_) zip.add(name + ".npy", bytes, false);
    zip.close();
  });
}

namespace {
constexpr std::size_t kRowsHeader = 192;  // room for any shape
}

NpzRowsWriter::NpzRowsWriter(const std::string& path, const std::string& name, std::int64_t columns)
    : zip_(std::make_unique<ZipWriter>(path)), columns_(columns), others_(path) {
  zip_->begin(name + ".npy", kRowsHeader);
}

NpzRowsWriter::~NpzRowsWriter() = default;

void NpzRowsWriter::append(std::span<const float> rows) {
  zip_->append({reinterpret_cast<const std::uint8_t*>(rows.data()), rows.size_bytes()});
  values_ += static_cast<std::int64_t>(rows.size());
}

void NpzRowsWriter::close() {
  const std::string header =
      npy_header("<f4", {columns_ > 0 ? values_ / columns_ : 0, columns_}, kRowsHeader);
  zip_->end({reinterpret_cast<const std::uint8_t*>(header.data()), header.size()});
  for (const auto& [name, bytes] : others_.members_) zip_->add(name + ".npy", bytes, false);
  zip_->close();
}

}  // namespace cellmill::io
