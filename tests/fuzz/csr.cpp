// A sparse .npz of valid zip whose five arrays the input makes up: types, lengths and values. What
// is taken must keep the promises of data/chunk.h, whole and by ranges, and read_csr must agree.
#include "data/expression.h"
#include "fuzz.h"
#include "io/csr_reader.h"

using namespace cellmill;

namespace {

const char* const kTypes[] = {"<i4", "<f4", "<i8", "<f8", ">i4", ">f4", "|i1", "|u1",
                              "<u8", "<f2", "<u2", "|b1", "|S3", "|O",  "<c8"};
constexpr std::size_t kWidths[] = {4, 4, 8, 8, 4, 4, 1, 1, 8, 2, 2, 1, 3, 8, 8};

/// An array of a chosen type. Small values are likelier than any bytes.
std::string npy(fuzz::Script& script, std::size_t usual_type, std::size_t most) {
  const std::size_t type = script.choose(4) != 0 ? usual_type : script.choose(std::size(kTypes));
  const std::size_t width = kWidths[type], count = script.choose(most + 1);
  std::string values(count * width, '\0');
  const bool small = script.choose(4) != 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!small || i % width == (kTypes[type][0] == '>' ? width - 1 : 0))
      values[i] = static_cast<char>(script.take<std::uint8_t>());
  if (small && kTypes[type][1] == 'f')  // whole numbers
    for (std::size_t i = 0; type == 1 && i < count; ++i) {
      const auto value = static_cast<float>(static_cast<std::uint8_t>(values[4 * i]) % 50);
      std::memcpy(values.data() + 4 * i, &value, 4);
    }
  std::string header = std::string("{'descr': '") + kTypes[type] +
                       "', 'fortran_order': False, 'shape': (" + std::to_string(count) + ",), }\n";
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size());
  text += '\0';
  return text + header + values;
}

std::string shape(std::int64_t rows, std::int64_t columns) {
  std::string text("\x93NUMPY\x01\x00", 8);
  const std::string header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }\n";
  text += static_cast<char>(header.size());
  text += '\0';
  text += header;
  text.append(reinterpret_cast<const char*>(&rows), 8);
  return text.append(reinterpret_cast<const char*>(&columns), 8);
}

/// indptr that rises, or anything.
std::string indptr(fuzz::Script& script, std::size_t rows, std::size_t& entries) {
  if (script.choose(4) == 0) return npy(script, 0, 12);
  std::string text("\x93NUMPY\x01\x00", 8);
  const std::string header =
      "{'descr': '<i4', 'fortran_order': False, 'shape': (" + std::to_string(rows + 1) + ",), }\n";
  text += static_cast<char>(header.size());
  text += '\0';
  text += header;
  std::uint32_t at = 0;
  for (std::size_t r = 0; r <= rows; ++r, at += static_cast<std::uint32_t>(script.choose(5)))
    text.append(reinterpret_cast<const char*>(&at), 4), entries = at;
  return text;
}

void write(const std::string& path, fuzz::Script& script) {
  std::filesystem::remove(path);
  io::ZipWriter zip(path);
  const auto add = [&](const char* name, std::string_view bytes) {
    zip.add(name, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
            script.yes());
  };
  const std::size_t rows = script.choose(9), columns = script.choose(12);
  std::size_t entries = 0;
  add("format.npy", std::string("\x93NUMPY\x01\x00", 8) + "\x3c" + std::string(1, '\0') +
                        "{'descr': '|S3', 'fortran_order': False, 'shape': (), }    \ncsr");
  const bool lie = script.choose(8) == 0;
  add("shape.npy",
      lie ? shape(script.take<std::int64_t>(), script.take<std::int64_t>())
          : shape(static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)));
  add("indptr.npy", indptr(script, rows, entries));
  add("indices.npy", npy(script, 0, std::max<std::size_t>(entries, 1)));
  add("data.npy", npy(script, 1, std::max<std::size_t>(entries, 1)));
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
