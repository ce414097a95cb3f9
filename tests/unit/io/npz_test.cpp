#include "io/npz.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "expect.h"
#include "io/files.h"
#include "io/zip.h"

using namespace cellmill;
using namespace cellmill::io;
using Catch::Contains;
using Ints = std::vector<std::int64_t>;

namespace {

CsrFile fixture_matrix() {
  return {.rows = 5,
          .columns = 7,
          .indptr = {0, 3, 5, 7, 7, 9},
          .indices = {0, 3, 6, 1, 4, 2, 5, 1, 4},
          .values = {1, 4, 7, 12, 15, 23, 26, 42, 45}};
}

NpyArray dense(const std::string& name) {
  ZipFile zip(fixture("dense.npz"));
  return parse_npy(zip.read(*zip.find(name + ".npy")), "dense.npz", name);
}

void check_is_fixture(const CsrFile& matrix) {
  CsrFile expected = fixture_matrix();
  CATCH_CHECK(matrix.rows == expected.rows);
  CATCH_CHECK(matrix.columns == expected.columns);
  CATCH_CHECK(matrix.indptr == expected.indptr);
  CATCH_CHECK(matrix.indices == expected.indices);
  CATCH_CHECK(matrix.values == expected.values);
}

/// The error of reading fixture_matrix() after `spoil`.
std::string error_of_spoilt(const std::function<void(CsrFile&)>& spoil) {
  Scratch scratch;
  CsrFile matrix = fixture_matrix();
  spoil(matrix);
  write_csr(scratch / "m.npz", matrix, false);
  return error_of([&] { read_csr(scratch / "m.npz"); });
}

std::vector<std::uint8_t> npy(const std::string& header, const std::string& data, int version = 1) {
  std::string text = "\x93NUMPY";
  text += static_cast<char>(version);
  text += '\0';
  text += static_cast<char>(header.size());
  text.append(version == 1 ? 1 : 3, '\0');
  text += header + data;
  return {text.begin(), text.end()};
}

}  // namespace

CATCH_TEST_CASE("scipy's matrices are read in every type", "[npz]") {
  for (const char* name : {"f4.npz", "f8_stored.npz", "i4_array.npz", "wide.npz"}) {
    CATCH_CAPTURE(name);
    check_is_fixture(read_csr(fixture(name)));
    CATCH_CHECK(read_csr_shape(fixture(name)) == std::pair<std::int64_t, std::int64_t>{5, 7});
  }
}

CATCH_TEST_CASE("other sparse formats are refused with the line that converts", "[npz]") {
  for (const std::string format : {"csc", "coo"}) {
    std::string path = fixture(format + ".npz");
    CATCH_CHECK(error_of([&] { read_csr(path); }) ==
                "65 " + path +
                    ": member format.npy: is a sparse matrix of another format; expected csr; "
                    "found " +
                    format + "\n  hint: convert it: python -c \"import scipy.sparse as s; p = '" +
                    path + "'; s.save_npz(p, s.load_npz(p).tocsr())\"");
    CATCH_CHECK_THAT(error_of([&] { read_csr_shape(path); }), Contains("another format"));
  }
  CATCH_CHECK_THAT(error_of([&] { read_csr(fixture("dense.npz")); }),
                   Contains("dense.npz: is no sparse matrix: it lacks format.npy\n  hint: "));
}

CATCH_TEST_CASE("a value that is not finite is named by row and column", "[npz]") {
  CATCH_CHECK_THAT(error_of([&] { read_csr(fixture("nan.npz")); }),
                   Contains("65 ") && Contains("nan.npz: row 4, column 4: is not finite; expected "
                                               "a finite value; found nan"));
  CATCH_CHECK_THAT(
      error_of([&] { read_csr(fixture("infinite.npz")); }),
      Contains("infinite.npz: row 0, column 6: is not finite") && Contains("found inf"));
}

CATCH_TEST_CASE("a broken structure is refused with its place", "[npz]") {
  CATCH_CHECK_THAT(error_of_spoilt([](CsrFile& m) { m.indices[5] = 7; }),
                   Contains("65 ") && Contains("m.npz: row 2, column 7: is out of range; expected "
                                               "columns 0 to 6; found 7"));
  CATCH_CHECK_THAT(error_of_spoilt([](CsrFile& m) { m.indices[8] = -1; }),
                   Contains("row 4, column -1: is out of range"));
  CATCH_CHECK_THAT(error_of_spoilt([](CsrFile& m) { m.indptr[2] = 2; }),
                   Contains("member indptr.npy, row 1: falls; expected at least 3; found 2"));
  CATCH_CHECK_THAT(error_of_spoilt([](CsrFile& m) { m.indptr[0] = 1; }),
                   Contains("member indptr.npy: does not begin with 0; expected 0; found 1"));
  CATCH_CHECK_THAT(error_of_spoilt([](CsrFile& m) { m.indptr[5] = 10; }),
                   Contains("member indptr.npy: ends elsewhere than the values; expected 10 "
                            "values; found 9"));
  CATCH_CHECK_THAT(error_of_spoilt([](CsrFile& m) { m.rows = 6; }),
                   Contains("member indptr.npy: has another length than the shape says; expected "
                            "7 numbers for 6 rows; found 6"));
  CATCH_CHECK_THAT(error_of_spoilt([](CsrFile& m) { m.indices.pop_back(); }),
                   Contains("member indices.npy: has another length than the values; expected 9 "
                            "columns; found 8"));
  CATCH_CHECK_THAT(error_of_spoilt([](CsrFile& m) { m.rows = -1; }),
                   Contains("member shape.npy: is no shape of rows and columns"));
}

CATCH_TEST_CASE("a matrix comes back as it was written", "[npz]") {
  Scratch scratch;
  for (bool compressed : {false, true}) {
    write_csr(scratch / "m.npz", fixture_matrix(), compressed);
    check_is_fixture(read_csr(scratch / "m.npz"));
    CATCH_CHECK(ZipFile(scratch / "m.npz").find("data.npy")->method == (compressed ? 8 : 0));
  }
  write_csr(scratch / "empty.npz",
            CsrFile{.rows = 0, .columns = 3, .indptr = {0}, .indices = {}, .values = {}}, true);
  CATCH_CHECK(read_csr(scratch / "empty.npz").columns == 3);
}

CATCH_TEST_CASE("dense arrays are converted", "[npz]") {
  for (const char* name : {"i1", "i2", "u4", "u8", ">f4", "f2", "f8"}) {
    CATCH_CAPTURE(name);
    CATCH_CHECK(dense(name).to_int64("", "") == Ints{1, 2, 100});
    CATCH_CHECK(dense(name).to_int32("", "") == std::vector<std::int32_t>{1, 2, 100});
    CATCH_CHECK(dense(name).to_float("", "") == std::vector<float>{1, 2, 100});
  }
  CATCH_CHECK(dense("b1").to_int64("", "") == Ints{1, 1, 1});
  CATCH_CHECK(dense("scalar").shape.empty());
  CATCH_CHECK(dense("scalar").to_float("", "") == std::vector<float>{7});
  CATCH_CHECK(dense("bytes").to_strings("", "") == std::vector<std::string>{"one", "three"});
  CATCH_CHECK(dense("text").to_strings("", "") == std::vector<std::string>{"né", "β cell", ""});
  std::vector<float> half = dense("half").to_float("", "");
  CATCH_CHECK((half[0] == 0.5f && std::isinf(half[1]) && half[2] == -std::ldexp(1.f, -24)));
  NpyArray fortran = dense("fortran");
  CATCH_CHECK((fortran.fortran_order && fortran.shape == Ints{2, 3}));
  CATCH_CHECK(fortran.to_float("", "") == std::vector<float>{0, 3, 1, 4, 2, 5});
}

CATCH_TEST_CASE("what does not fit, or is no number, is refused", "[npz]") {
  CATCH_CHECK_THAT(error_of([&] { dense("big").to_int32("f", "m"); }),
                   Contains("65 f: member m, element 1: does not fit; expected int32; found "
                            "1099511627776"));
  CATCH_CHECK_THAT(error_of([&] { dense("huge").to_int64("f", "m"); }),
                   Contains("element 0: does not fit; expected int64; found 9223372036854775808"));
  CATCH_CHECK_THAT(error_of([&] { dense("half").to_int64("f", "m"); }),
                   Contains("element 0: does not fit; expected int64; found 0.5"));
  CATCH_CHECK_THAT(error_of([&] { dense("beyond").to_float("f", "m"); }),
                   Contains("element 0: does not fit; expected float32"));
  for (const char* name : {"text", "bytes", "when", "complex"})
    CATCH_CHECK_THAT(error_of([&] { dense(name).to_float("f", "m"); }),
                     Contains("f: member m: holds no numbers; expected float32; found '"));
  CATCH_CHECK_THAT(error_of([&] { dense("f8").to_strings("f", "m"); }),
                   Contains("holds no text; expected text; found '<f8'"));
  CATCH_CHECK_THAT(error_of([&] { dense("struct"); }), Contains("is a structured array"));
}

CATCH_TEST_CASE("a pickle is never executed", "[npz]") {
  ZipFile zip(fixture("pickled.npz"));
  CATCH_CHECK_THAT(
      error_of([&] { parse_npy(zip.read(*zip.find("labels.npy")), "p.npz", "labels.npy"); }),
      Contains("65 p.npz: member labels.npy: holds Python objects (a pickle); cellmill never "
               "executes one\n  hint: "));
}

CATCH_TEST_CASE("npy headers are read by their grammar alone", "[npz]") {
  auto parse = [](const std::string& header, const std::string& data, int version = 1) {
    return parse_npy(npy(header, data, version), "f", "m");
  };
  CATCH_CHECK(parse("{\"shape\":(1,2,),'fortran_order':False,'descr':'|u1'}", "ab").shape ==
              Ints{1, 2});
  CATCH_CHECK(
      parse("{'descr': '<f4', 'fortran_order': False, 'shape': (1L,), }\n", "abcd", 3).shape ==
      Ints{1});
  const char* good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  CATCH_CHECK_THAT(error_of([&] { parse(good, "1234567"); }),
                   Contains("f: member m: is truncated; expected 8 bytes of data; found 7"));
  CATCH_CHECK_THAT(error_of([&] { parse(good, "123456789"); }),
                   Contains("does not fill its shape; expected 8 bytes of data; found 9"));
  CATCH_CHECK_THAT(error_of([&] { parse(good, "12345678", 4); }),
                   Contains("npy format version that cellmill does not know"));
  CATCH_CHECK_THAT(error_of([&] {
                     parse("{'descr':'<f8','fortran_order':False,'shape':(4294967296,4294967296)}",
                           "");
                   }),
                   Contains("has an impossible shape"));
  for (const char* header :
       {"  ", "{ ", "{}", "{'descr': '<f4'}", "{'descr': <f4}", "{'shape': (-1,)}", "{'shape': (1",
        "{'shape': (1 2)}", "{'fortran_order': no}", "{'other': 1}",
        "{'shape': (99999999999999999999,)}"})
    CATCH_CHECK_THAT(error_of([&] { parse(header, ""); }), Contains("broken npy header"));
  CATCH_CHECK_THAT(error_of([&] {
                     parse_npy({1, 2, 3}, "f", "m");
                   }),
                   Contains("f: member m: is no npy array"));
}

CATCH_TEST_CASE("rows of unknown number are written as they come", "[npz]") {
  Scratch scratch;
  for (const std::size_t rows : {0, 1, 3, 70000}) {
    const std::string path = scratch / (std::to_string(rows) + ".npz");
    std::vector<float> values(rows * 2);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    NpzRowsWriter writer(path, "embeddings", 2);
    for (std::size_t i = 0; i < rows; i += 1000)
      writer.append(std::span(values).subspan(2 * i, 2 * std::min<std::size_t>(1000, rows - i)));
    writer.others().add("names", {"a", "b"});
    writer.close();
    ZipFile zip(path);  // compares CRC-32
    const auto all = parse_npy(zip.read(*zip.find("embeddings.npy")), "", "");
    CATCH_CHECK(all.shape == Ints{static_cast<std::int64_t>(rows), 2});
    CATCH_CHECK(all.to_float("", "") == values);
    CATCH_CHECK(parse_npy(zip.read(*zip.find("names.npy")), "", "").to_strings("", "") ==
                std::vector<std::string>{"a", "b"});
  }
}

CATCH_TEST_CASE("arrays come back as they were written", "[npz]") {
  Scratch scratch;
  std::vector<float> values{1, 2, 3, 4, 5, 6};
  Ints numbers{-1, std::int64_t{1} << 40};
  NpzWriter writer(scratch / "a.npz");
  writer.add("values", values, {2, 3});
  writer.add("numbers", numbers, {2});
  writer.add("names", {"né", "", "β cell 𝛽"});
  writer.close();
  ZipFile zip(scratch / "a.npz");
  auto member = [&](const char* name) { return parse_npy(zip.read(*zip.find(name)), "", ""); };
  CATCH_CHECK(member("values.npy").shape == Ints{2, 3});
  CATCH_CHECK(member("values.npy").to_float("", "") == values);
  CATCH_CHECK(member("numbers.npy").to_int64("", "") == numbers);
  CATCH_CHECK(member("names.npy").to_strings("", "") ==
              std::vector<std::string>{"né", "", "β cell 𝛽"});
}
