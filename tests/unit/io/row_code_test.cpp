// Coded rows: back bit for bit, of the promised form and size, the AVX2 decoder equal to the plain
// one; damage is told and never followed.
#include "io/row_code.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>

using namespace cellmill::io;

namespace {

struct Row {
  std::vector<std::int32_t> columns;
  std::vector<float> values;
};

using Bytes = std::vector<std::uint8_t>;

Bytes encoded(const Row& row) {
  Bytes bytes;
  encode_row(row.columns, row.values, bytes);
  return bytes;
}

/// What a decoder says; what it wrote, with a border that it must not touch.
struct Decoded {
  std::string wrong;
  std::vector<std::int32_t> columns;
  std::vector<std::uint32_t> values;  // bits
  bool operator==(const Decoded&) const = default;
};

using Decoder = const char* (*)(const CodedRow&, std::int64_t, std::int32_t*, float*);

Decoded decoded(const Bytes& bytes, std::int64_t end, Decoder decoder) {
  const Bytes exact(bytes);  // on the heap, so that a sanitizer sees a step beyond it
  CodedRow row;
  if (const char* wrong = parse_row(exact, row)) return {wrong, {}, {}};
  std::vector<std::int32_t> columns(row.entries + 1, -7);
  std::vector<float> values(row.entries + 1, -7);
  const char* wrong = decoder(row, end, columns.data(), values.data());
  CATCH_REQUIRE(columns.back() == -7);
  CATCH_REQUIRE(values.back() == -7);
  if (wrong != nullptr) return {wrong, {}, {}};
  columns.pop_back();
  std::vector<std::uint32_t> bits(row.entries);
  if (!bits.empty()) std::memcpy(bits.data(), values.data(), 4 * bits.size());
  return {"", columns, bits};
}

void check_round_trip(const Row& row, std::int64_t end) {
  std::vector<std::uint32_t> bits(row.values.size());
  if (!bits.empty()) std::memcpy(bits.data(), row.values.data(), 4 * bits.size());
  const Bytes bytes = encoded(row);
  const Decoded expected{"", row.columns, bits};
  CATCH_CHECK(decoded(bytes, end, decode_row) == expected);
  CATCH_CHECK(decoded(bytes, end, decode_row_plain) == expected);
  CATCH_CHECK(row_entries(bytes.data()) == row.values.size());
  if (!row.columns.empty())  // the last column must lie below the end
    for (const Decoder decoder : {decode_row, decode_row_plain})
      CATCH_CHECK(decoded(bytes, row.columns.back(), decoder).wrong ==
                  "a column that does not exist");
}

Row random_row(std::mt19937& random, std::int64_t end, std::int64_t entries, int distinct) {
  Row row;
  std::int64_t left = entries;
  for (std::int64_t c = 0; c < end && left > 0; ++c)
    if (static_cast<std::int64_t>(random() % (end - c)) < left) {
      row.columns.push_back(static_cast<std::int32_t>(c));
      row.values.push_back(std::log1p(static_cast<float>(random() % distinct)));
      --left;
    }
  return row;
}

Row of_values(std::vector<float> values) {
  Row row{{}, std::move(values)};
  for (std::size_t i = 0; i < row.values.size(); ++i)
    row.columns.push_back(static_cast<std::int32_t>(i));
  return row;
}

}  // namespace

CATCH_TEST_CASE("rows of every shape come back bit for bit", "[row_code]") {
  check_round_trip({}, 1);
  check_round_trip({{0}, {1.5}}, 1);
  check_round_trip({{60663}, {1.5}}, 60664);
  check_round_trip({{0, 1, 2}, {0.0f, -0.0f, 0.0f}}, 3);
  check_round_trip({{5, 260, 516, 772}, {1, 2, 2, 1}}, 773);  // gaps of 254, 255, 255
  check_round_trip({{0, 65790, 65791}, {1, 1, 1}}, 65792);    // the widest gap but one
  check_round_trip({{0, 65791, 200000}, {1, 1, 1}}, 200001);  // and wider
  check_round_trip({{1 << 29, (1 << 30) + 5, 2147483646}, {1, 2, 3}}, 2147483647);
  std::mt19937 random(7);
  for (const int distinct : {1, 2, 8, 9, 16, 17, 32, 33, 100, 256, 257, 5000})
    for (const std::int64_t entries : {1, 7, 15, 16, 17, 31, 33, 2000, 5000}) {
      CATCH_CAPTURE(distinct, entries);
      check_round_trip(random_row(random, 5000, entries, distinct), 5000);
      check_round_trip(random_row(random, 60664, entries, distinct), 60664);
      check_round_trip(random_row(random, 200000, entries, distinct), 200000);
    }
}

CATCH_TEST_CASE("a row takes the smallest form that holds it", "[row_code]") {
  const auto size = [](const Row& row) { return encoded(row).size(); };
  CATCH_CHECK(size({}) == 8);
  std::vector<float> values(300);
  for (std::size_t i = 0; i < 300; ++i) values[i] = static_cast<float>(i % 256);
  CATCH_CHECK(size(of_values(values)) == 8 + 4 * 300 + 300);  // float32
  values.resize(2000);
  for (std::size_t i = 0; i < 2000; ++i) values[i] = static_cast<float>(i % 256);
  CATCH_CHECK(size(of_values(values)) == 8 + 4 * 256 + 2000 + 2000);
  values[1999] = 1e6;  // the 257th
  CATCH_CHECK(size(of_values(values)) == 8 + 4 * 2000 + 2000);
  Row wide;
  for (int i = 0; i < 60; ++i) {
    wide.columns.push_back(1000 * i);
    wide.values.push_back(2);
  }
  CATCH_CHECK(size(wide) == 8 + 4 + 60 + 2 * 60);  // u16
  wide.columns.back() = 70000;
  CATCH_CHECK(size(wide) == 8 + 4 + 60 + 60 + 2 * 59);  // escapes
  wide.columns.back() = 7000000;
  CATCH_CHECK(size(wide) == 8 + 4 + 60 + 4 * 60);  // u32
}

CATCH_TEST_CASE("2,000 entries of 60,664 genes take some 4.1 kB", "[row_code]") {
  std::mt19937 random(11);
  const Row row = random_row(random, 60664, 2000, 24);
  CATCH_CHECK(encoded(row).size() <= 4200);
}

CATCH_TEST_CASE("damaged rows are told, the same by both decoders, and never followed",
                "[row_code]") {
  std::mt19937 random(3);
  std::vector<Bytes> good = {encoded(random_row(random, 3000, 40, 5)),
                             encoded(random_row(random, 300000, 50, 300)),
                             encoded(random_row(random, 30000, 80, 20)),
                             encoded({{3, 1000, 40000, 65000}, {1, 2, 1, 2}}), encoded({})};
  int refused = 0;
  for (const Bytes& whole : good) {
    const auto check = [&](const Bytes& bytes) {
      const Decoded fast = decoded(bytes, 300000, decode_row);
      CATCH_CHECK(fast == decoded(bytes, 300000, decode_row_plain));
      refused += !fast.wrong.empty();
    };
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      Bytes bytes = whole;
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ 1 << bit % 8);
      check(bytes);
    }
    for (std::size_t size = 0; size < whole.size(); ++size)
      CATCH_CHECK(
          !decoded(Bytes(whole.begin(), whole.begin() + size), 300000, decode_row).wrong.empty());
    for (int i = 0; i < 2000; ++i) {
      Bytes bytes = whole;
      for (int k = 0; k < 4; ++k)
        bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random() % 3 ? 255 : random());
      check(bytes);
    }
  }
  CATCH_CHECK(refused > 1000);
}

CATCH_TEST_CASE("what is wrong with a row is said", "[row_code]") {
  const Row row{{5, 300, 9000}, {1, 2, 3}};
  const auto wrong = [&](std::size_t byte, std::uint8_t value, const Row& of) {
    Bytes bytes = encoded(of);
    bytes[byte] = value;
    return decoded(bytes, 10000, decode_row).wrong;
  };
  const Row many = of_values(std::vector<float>(40, 3));  // table of 1, codes from byte 12
  CATCH_CHECK(wrong(4, 3, many) == "no known form of a row");
  CATCH_CHECK(wrong(0, 9, many) == "the parts of the row do not fill its bytes");
  CATCH_CHECK(wrong(20, 1, many) == "a code beyond the table of values");
  CATCH_CHECK(wrong(12 + 40 + 20, 255, many) == "a gap without its escape");
  Bytes bytes = encoded(row);  // u16 columns behind 3 floats
  CATCH_REQUIRE(bytes.size() == 8 + 12 + 6);
  bytes[21] = 0xF0;
  CATCH_CHECK(decoded(bytes, 100000, decode_row).wrong == "columns do not rise");
  CATCH_CHECK(decoded({1, 2}, 9, decode_row).wrong == "shorter than the head of a row");
}
