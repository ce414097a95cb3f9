#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/format.h"
#include "base/utf8.h"
#include "io/little_endian.h"
#include "io/npz.h"

namespace cellmill::io {

namespace {

using Bytes = std::vector<std::uint8_t>;

/// The dictionary literal of an npy header, e.g. {'descr': '<f4', 'fortran_order': False,
/// 'shape': (5, 7), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const DataError::Place& place) : rest_(text), place_(place) {}

  NpyArray parse() {
    NpyArray array;
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      std::string key = quoted();
      expect(':');
      if (key == "descr")
        array.dtype = quoted(), descr = true;
      else if (key == "fortran_order")
        array.fortran_order = truth(), order = true;
      else if (key == "shape")
        array.shape = tuple(), shape = true;
      else
        fail("unknown key " + key);
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (!descr || !order || !shape) fail("descr, fortran_order or shape is missing");
    return array;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw DataError(place_, "has a broken npy header: " + why);
  }
  bool accept(char c) {
    while (!rest_.empty() && std::strchr(" \n\t", rest_[0])) rest_.remove_prefix(1);
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("expected ") + c);
  }
  std::string quoted() {
    if (accept('[')) throw DataError(place_, "is a structured array", "save plain columns");
    char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    std::size_t end = rest_.find(quote);
    if (end == std::string_view::npos) fail("an open quote");
    std::string text(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    return text;
  }
  bool truth() {
    accept(' ');
    bool value = rest_.starts_with("True");
    if (!value && !rest_.starts_with("False")) fail("expected True or False");
    rest_.remove_prefix(value ? 4 : 5);
    return value;
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> numbers;
    expect('(');
    while (!accept(')')) {
      numbers.push_back(number());
      accept('L');  // Python 2's long
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return numbers;
  }
  std::int64_t number() {
    accept(' ');
    std::size_t digits = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (digits == 0 || digits > 18) fail("expected a size");
    std::int64_t value = std::stoll(std::string(rest_.substr(0, digits)));
    rest_.remove_prefix(digits);
    return value;
  }

  std::string_view rest_;
  DataError::Place place_;
};

struct Dtype {
  char kind;
  std::size_t bytes;
  bool swapped;
};

Dtype dtype_of(const std::string& descr, const DataError::Place& place) {
  std::size_t at = descr.find_first_not_of("<>|=");
  char kind = at == std::string::npos ? '?' : descr[at];
  if (kind == 'O')
    throw DataError(place, "holds Python objects (a pickle); cellmill never executes one",
                    "save it with a numeric dtype: numpy.save(path, array.astype('float32'))");
  std::size_t digits = 0, bytes = 0;
  if (at != std::string::npos)
    for (at += 1; at < descr.size() && std::isdigit(descr[at]) && digits < 9; ++at, ++digits)
      bytes = bytes * 10 + static_cast<std::size_t>(descr[at] - '0');
  if (bytes == 0 || !std::strchr("biufcSUVmM", kind))
    throw DataError({place.file, place.where, "a numpy dtype", "'" + descr + "'"},
                    "has a dtype that cellmill does not know");
  return {kind, kind == 'U' ? 4 * bytes : bytes, descr[0] == '>'};
}

double from_half(std::uint16_t half) {
  int exponent = half >> 10 & 31, fraction = half & 1023;
  double size = exponent == 31  ? (fraction ? std::nan("") : HUGE_VAL)
                : exponent == 0 ? std::ldexp(fraction, -24)
                                : std::ldexp(1024 + fraction, exponent - 25);
  return half & 0x8000 ? -size : size;
}

template <class To, class From>
bool fits(From value) {
  if constexpr (std::is_floating_point_v<To>)
    return !(std::abs(static_cast<double>(value)) > std::numeric_limits<To>::max()) ||
           std::isinf(static_cast<double>(value));
  else if constexpr (std::is_floating_point_v<From>)
    return value >= static_cast<From>(std::numeric_limits<To>::min()) &&
           value < std::ldexp(From{1}, std::numeric_limits<To>::digits) &&
           value == std::trunc(value);
  else
    return std::in_range<To>(value);
}

template <class From>
From value_at(const std::uint8_t* at, bool swapped) {
  std::uint8_t raw[sizeof(From)];
  std::memcpy(raw, at, sizeof raw);
  if (swapped) std::reverse(raw, raw + sizeof raw);
  return take<From>(raw);
}

template <class To, class From, class Widen>
std::vector<To> convert(const NpyArray& array, bool swapped, const DataError::Place& place,
                        const char* name, Widen widen) {
  std::vector<To> values(static_cast<std::size_t>(array.size()));
  if (std::is_same_v<To, From> && !swapped) {
    if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
    return values;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto value = widen(value_at<From>(array.bytes.data() + i * sizeof(From), swapped));
    if (!fits<To>(value))
      throw DataError(
          {place.file, place.where + ", element " + std::to_string(i), name, fmt::to_string(value)},
          "does not fit");
    values[i] = static_cast<To>(value);
  }
  return values;
}

template <class To>
std::vector<To> convert_any(const NpyArray& array, const DataError::Place& place,
                            const char* name) {
  Dtype dtype = dtype_of(array.dtype, place);
  auto as = [&]<class From>(From) {
    return convert<To, From>(array, dtype.swapped, place, name, [](From value) { return value; });
  };
  std::string code = dtype.kind + std::to_string(dtype.bytes);
  if (code == "f4") return as(float{});
  if (code == "f8") return as(double{});
  if (code == "i1") return as(std::int8_t{});
  if (code == "i2") return as(std::int16_t{});
  if (code == "i4") return as(std::int32_t{});
  if (code == "i8") return as(std::int64_t{});
  if (code == "u1" || code == "b1") return as(std::uint8_t{});
  if (code == "u2") return as(std::uint16_t{});
  if (code == "u4") return as(std::uint32_t{});
  if (code == "u8") return as(std::uint64_t{});
  if (code == "f2")
    return convert<To, std::uint16_t>(array, dtype.swapped, place, name, &from_half);
  throw DataError({place.file, place.where, name, "'" + array.dtype + "'"}, "holds no numbers");
}

}  // namespace

std::int64_t NpyArray::size() const {
  std::int64_t product = 1;
  for (std::int64_t extent : shape) product *= extent;
  return product;
}

std::vector<std::int64_t> NpyArray::to_int64(const std::string& file,
                                             const std::string& member) const {
  return convert_any<std::int64_t>(*this, {file, "member " + member, {}, {}}, "int64");
}

std::vector<std::int32_t> NpyArray::to_int32(const std::string& file,
                                             const std::string& member) const {
  return convert_any<std::int32_t>(*this, {file, "member " + member, {}, {}}, "int32");
}

std::vector<float> NpyArray::to_float(const std::string& file, const std::string& member) const {
  return convert_any<float>(*this, {file, "member " + member, {}, {}}, "float32");
}

std::vector<std::string> NpyArray::to_strings(const std::string& file,
                                              const std::string& member) const {
  DataError::Place place{file, "member " + member, "text", "'" + dtype + "'"};
  Dtype parsed = dtype_of(dtype, place);
  if (parsed.kind != 'S' && parsed.kind != 'U') throw DataError(place, "holds no text");
  std::vector<std::string> texts(static_cast<std::size_t>(size()));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::uint8_t* at = bytes.data() + i * parsed.bytes;
    if (parsed.kind == 'S')
      texts[i].assign(reinterpret_cast<const char*>(at),
                      strnlen(reinterpret_cast<const char*>(at), parsed.bytes));
    else
      for (std::size_t c = 0; c < parsed.bytes; c += 4)
        if (auto point = value_at<std::uint32_t>(at + c, parsed.swapped))
          append_utf8(texts[i], point);
  }
  return texts;
}

std::size_t npy_header_bytes(std::span<const std::uint8_t> head) {
  if (head.size() < 12) return head.size();
  return head[6] == 1 ? 10U + take<std::uint16_t>(&head[8]) : 12U + take<std::uint32_t>(&head[8]);
}

NpyHeader parse_npy_header(std::span<const std::uint8_t> head, std::uint64_t total,
                           const std::string& file, const std::string& member) {
  DataError::Place place{file, "member " + member, {}, {}};
  if (head.size() < 12 || std::memcmp(head.data(), "\x93NUMPY", 6) != 0)
    throw DataError({file, place.where, "\\x93NUMPY and a version", "something else"},
                    "is no npy array", "numpy.save writes one");
  int version = head[6];
  if (version < 1 || version > 3)
    throw DataError({file, place.where, "1 to 3", std::to_string(version)},
                    "has an npy format version that cellmill does not know");
  std::size_t start = version == 1 ? 10 : 12, bytes = npy_header_bytes(head);
  if (bytes > head.size()) throw DataError(place, "is truncated in its npy header");
  std::string_view text(reinterpret_cast<const char*>(head.data()) + start, bytes - start);
  NpyArray array = HeaderParser(text, place).parse();

  Dtype dtype = dtype_of(array.dtype, place);
  std::size_t held = total - bytes, needed = dtype.bytes;
  for (std::int64_t extent : array.shape)
    if (__builtin_mul_overflow(needed, static_cast<std::size_t>(extent), &needed))
      throw DataError(place, "has an impossible shape");
  if (needed != held)
    throw DataError(
        {file, place.where, std::to_string(needed) + " bytes of data", std::to_string(held)},
        needed > held ? "is truncated" : "does not fill its shape");
  return {array.dtype, array.shape, array.fortran_order, dtype.bytes, bytes};
}

NpyArray parse_npy(Bytes bytes, const std::string& file, const std::string& member) {
  NpyHeader header = parse_npy_header(bytes, bytes.size(), file, member);
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header.bytes));
  return {std::move(header.dtype), std::move(header.shape), header.fortran_order, std::move(bytes)};
}

}  // namespace cellmill::io
