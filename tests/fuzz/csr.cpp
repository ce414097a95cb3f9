// A sparse .npz of valid zip whose five arrays the input makes up: types, lengths and values. What
// is taken must keep the promises of data/chunk.h, whole and by ranges, and read_csr must agree.
#include <cmath>

#include "data/expression.h"
#include "fuzz.h"
#include "io/csr_reader.h"

using namespace cellmill;

namespace {

const char* const kTypes[] = {"<i4", "<f4", "<i8", "<f8", ">i4", ">f4", "|i1", "|u1",
                              "<u8", "<f2", "<u2", "|b1", "|S3", "|O",  "<c8"};
constexpr std::size_t kWidths[] = {4, 4, 8, 8, 4, 4, 1, 1, 8, 2, 2, 1, 3, 8, 8};

std::string npy(const std::string& type, const std::string& shape, std::string_view values) {
  const std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }\n";
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size());
  text += '\0';
  return text.append(header).append(values);
}

template <class T>
std::string npy_of(const std::string& type, const std::vector<T>& values) {
  return npy(type, std::to_string(values.size()) + ",",
             {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

/// An array of up to `most` values, of the usual type or of any.
std::string any_array(fuzz::Script& script, std::size_t usual, std::size_t most) {
  const std::size_t type = script.choose(4) != 0 ? usual : script.choose(std::size(kTypes));
  const std::size_t count = script.choose(most + 1);
  const std::string values(script.bytes(count * kWidths[type]));
  std::string filled = values;
  filled.resize(count * kWidths[type], '\0');
  return npy(kTypes[type], std::to_string(count) + ",", filled);
}

/// Small whole numbers, so that many are columns or counts.
template <class T>
std::string small(fuzz::Script& script, const char* type, std::size_t count, std::size_t below) {
  std::vector<T> values;
  for (std::size_t i = 0; i < count; ++i)
    values.push_back(static_cast<T>(script.choose(below + 1)));
  return npy_of(type, values);
}

void write(const std::string& path, fuzz::Script& script) {
  std::filesystem::remove(path);
  io::ZipWriter zip(path);
  const auto add = [&](const char* name, std::string_view bytes) {
    zip.add(name, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
            script.yes());
  };
  const std::size_t rows = script.choose(9), columns = script.choose(12);
  std::vector<std::int32_t> indptr(1, 0);
  for (std::size_t r = 0; r < rows; ++r)
    indptr.push_back(indptr.back() + static_cast<std::int32_t>(script.choose(5)));
  const auto entries = static_cast<std::size_t>(indptr.back());
  add("format.npy", npy("|S3", "", "csr"));
  std::vector<std::int64_t> shape{static_cast<std::int64_t>(rows),
                                  static_cast<std::int64_t>(columns)};
  if (script.choose(8) == 0) shape[script.choose(2)] = script.take<std::int64_t>();
  add("shape.npy", npy_of("<i8", shape));
  const auto array = [&](const char* name, std::size_t usual, const std::string& good) {
    add(name, script.choose(5) == 0 ? any_array(script, usual, entries + 1) : good);
  };
  array("indptr.npy", 0, npy_of("<i4", indptr));
  array("indices.npy", 0, small<std::int32_t>(script, "<i4", entries, columns));
  array("data.npy", 1, small<float>(script, "<f4", entries, 50));
  if (script.choose(16) == 0) add("more.npy", script.rest());
  zip.close();
}

void check(const data::Chunk& chunk) {
  for (std::int64_t r = 0; r < chunk.rows; ++r)
    for (std::int64_t k = chunk.indptr[r]; k < chunk.indptr[r + 1]; ++k)
      fuzz::require(chunk.indices[k] >= 0 && chunk.indices[k] < chunk.genes &&
                    (k == chunk.indptr[r] || chunk.indices[k - 1] < chunk.indices[k]) &&
                    chunk.values[k] >= 0 && chunk.values[k] < HUGE_VALF);
}

void read(const std::string& path) {
  const io::CsrReader reader(path);
  const std::vector<std::int64_t> indptr = reader.read_indptr();
  const data::Expression expression(reader.rows() % 2 == 1);
  data::Chunk whole{.rows = reader.rows(), .genes = reader.columns(), .indptr = indptr};
  reader.append_entries(0, indptr.back(), whole.indices, whole.values);
  const auto raw = whole.values;
  expression.prepare(whole, path);
  check(whole);
  if (!reader.by_range() || reader.rows() < 2) return;
  data::Chunk part{.rows = reader.rows() - 1, .genes = reader.columns()};
  for (std::size_t r = 1; r < indptr.size(); ++r) part.indptr.push_back(indptr[r] - indptr[1]);
  reader.append_entries(indptr[1], indptr.back(), part.indices, part.values);
  fuzz::require(part.values.size() == static_cast<std::size_t>(indptr.back() - indptr[1]));
  fuzz::require(part.values.empty() || std::memcmp(part.values.data(), raw.data() + indptr[1],
                                                   part.values.size() * 4) == 0);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  const std::string path = (fuzz::folder() / "cells.npz").string();
  write(path, script);
  const bool good = fuzz::accepted([&] { read(path); });
  const bool also = fuzz::accepted([&] { io::read_csr(path); });
  fuzz::require(also || !good);
  return 0;
}
