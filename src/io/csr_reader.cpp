#include "io/csr_reader.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>

#include "base/error.h"
#include "base/format.h"

namespace cellmill::io {

namespace {

constexpr std::uint64_t kHeaderGuess = 256;  // numpy's are of 128 bytes as a rule

template <class T>
constexpr const char* kNative = std::is_same_v<T, float> ? "<f4" : "<i4";

template <class T>
std::vector<T> converted(const NpyArray& array, const std::string& file,
                         const std::string& member) {
  if constexpr (std::is_same_v<T, float>)
    return array.to_float(file, member);
  else
    return array.to_int32(file, member);
}

/// No more values or columns than the matrix has places, before memory is asked for them.
void check_size(const ZipFile& zip, const ZipMember& member, std::int64_t rows,
                std::int64_t columns) {
  constexpr std::uint64_t kMostHeader = 1 << 17;
  std::uint64_t most = 0;
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(rows),
                             static_cast<std::uint64_t>(columns) * 8, &most) ||
      __builtin_add_overflow(most, kMostHeader, &most) || member.bytes <= most)
    return;
  throw DataError({zip.path(), "member " + member.name, fmt::format("at most {} bytes", most),
                   std::to_string(member.bytes)},
                  fmt::format("holds more than a matrix of {} x {} can have", rows, columns));
}

template <class T>
std::span<std::uint8_t> bytes_from(UnsetVector<T>& values, std::size_t first) {
  return {reinterpret_cast<std::uint8_t*>(values.data() + first), (values.size() - first) * 4};
}

}  // namespace

CsrReader::CsrReader(const std::string& path) : zip_(path) {
  std::tie(rows_, columns_) = read_csr_shape(zip_);
  check_size(zip_, csr_member(zip_, "indptr"), rows_ + 1, 1);
  for (const char* name : {"indices", "data"})
    check_size(zip_, csr_member(zip_, name), rows_, columns_);
  indptr_ = find("indptr");
  indices_ = find("indices");
  values_ = find("data");
  if (by_range() && indices_.size() != values_.size())
    throw DataError({path, "member indices.npy", std::to_string(values_.size()) + " columns",
                     std::to_string(indices_.size())},
                    "has another length than the values");
}

CsrReader::Array CsrReader::find(const std::string& name) const {
  Array array{&csr_member(zip_, name), 0, {}};
  array.at = zip_.data_offset(*array.member);
  if (!array.stored()) return array;
  const std::uint64_t total = array.member->bytes;
  std::vector<std::uint8_t> head(std::min(total, kHeaderGuess));
  read_stored(array, 0, head);
  if (const auto needed = std::min<std::uint64_t>(total, npy_header_bytes(head));
      needed > head.size()) {
    head.resize(needed);
    read_stored(array, 0, head);
  }
  array.header = parse_npy_header(head, total, zip_.path(), array.member->name);
  if (array.header.shape.size() != 1)
    throw DataError({zip_.path(), "member " + array.member->name, "1 dimension",
                     std::to_string(array.header.shape.size())},
                    "is no list of numbers");
  return array;
}

void CsrReader::read_stored(const Array& array, std::uint64_t from,
                            std::span<std::uint8_t> to) const {
  if (zip_.file().read_at(to.data(), to.size(), array.at + from) != to.size())
    throw DataError({zip_.path(), "member " + array.member->name, {}, {}},
                    "is truncated: it shrank while it was read", "copy or make the file again");
}

std::int64_t CsrReader::entries() const {
  return values_.stored() ? values_.size() : static_cast<std::int64_t>(values_.member->bytes / 4);
}

bool CsrReader::by_range() const { return indices_.stored() && values_.stored(); }

std::vector<std::int64_t> CsrReader::read_indptr() const {
  const std::string& member = indptr_.member->name;
  auto indptr =
      parse_npy(zip_.read(*indptr_.member), zip_.path(), member).to_int64(zip_.path(), member);
  check_indptr(indptr, rows_,
               by_range()       ? entries()
               : indptr.empty() ? 0
                                : indptr.back(),
               zip_.path());
  return indptr;
}

/// Inflated in place: header first, then moved over it.
template <class T>
void CsrReader::append_whole(const Array& array, std::int64_t size, UnsetVector<T>& to) const {
  const ZipMember& member = *array.member;
  const std::size_t first = to.size();
  to.resize(first + (member.bytes + 3) / 4);
  const auto bytes = bytes_from(to, first).first(member.bytes);
  zip_.read_into(member, bytes);
  const NpyHeader header = parse_npy_header(bytes, member.bytes, zip_.path(), member.name);
  const bool native = header.dtype == kNative<T>;
  std::vector<T> values;
  if (native) {
    std::memmove(bytes.data(), bytes.data() + header.bytes, bytes.size() - header.bytes);
  } else {
    NpyArray array_of_other{header.dtype, header.shape, header.fortran_order, {}};
    array_of_other.bytes.assign(bytes.begin() + static_cast<std::ptrdiff_t>(header.bytes),
                                bytes.end());
    values = converted<T>(array_of_other, zip_.path(), member.name);
  }
  const std::int64_t found = header.shape.empty() ? 1 : header.shape[0];
  if (header.shape.size() != 1 || found != size)
    throw DataError({zip_.path(), "member " + member.name, std::to_string(size) + " numbers",
                     std::to_string(found)},
                    "has another length than indptr says");
  to.resize(first + static_cast<std::size_t>(size));
  if (!native) std::ranges::copy(values, to.begin() + static_cast<std::ptrdiff_t>(first));
}

template <class T>
std::int64_t CsrReader::append(const Array& array, std::int64_t begin, std::int64_t end,
                               UnsetVector<T>& to) const {
  if (!by_range() || (begin == 0 && end == array.size())) {
    append_whole(array, end, to);
    return static_cast<std::int64_t>(array.member->stored_bytes);
  }
  const auto count = static_cast<std::size_t>(end - begin);
  const std::uint64_t width = array.header.width,
                      from = array.header.bytes + static_cast<std::uint64_t>(begin) * width;
  const std::size_t first = to.size();
  to.resize(first + count);
  if (array.header.dtype == kNative<T>) {
    read_stored(array, from, bytes_from(to, first));
  } else {
    NpyArray part{array.header.dtype, {end - begin}, false, {}};
    part.bytes.resize(count * width);
    read_stored(array, from, part.bytes);
    std::ranges::copy(converted<T>(part, zip_.path(), array.member->name),
                      to.begin() + static_cast<std::ptrdiff_t>(first));
  }
  return static_cast<std::int64_t>(count * width);
}

std::int64_t CsrReader::append_entries(std::int64_t begin, std::int64_t end,
                                       UnsetVector<std::int32_t>& indices,
                                       UnsetVector<float>& values) const {
  if (!by_range() && begin != 0)
    throw InternalError(zip_.path() + ": deflated entries are read whole");
  return append(indices_, begin, end, indices) + append(values_, begin, end, values);
}

void CsrReader::expect_entries(std::int64_t begin, std::int64_t end) const {
  if (!by_range()) return;
  for (const Array* array : {&indices_, &values_}) {
    const std::uint64_t width = array->header.width;
    zip_.file().expect(array->at + array->header.bytes + static_cast<std::uint64_t>(begin) * width,
                       static_cast<std::uint64_t>(end - begin) * width);
  }
}

}  // namespace cellmill::io
