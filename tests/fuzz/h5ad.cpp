// An AnnData file that HDF5 itself wrote, whose groups, types, lengths, layouts and values the
// input makes up: all that our own code reads, compressed chunks included, which we inflate
// ourselves. HDF5's bytes are not fuzzed: Debian's 1.10 is no parser for hostile files, our own
// files are verified before it opens them, and h5ad files are as trusted as who made them. What is
// taken must keep the promises of data/chunk.h.
#include <hdf5.h>

#include "data/sources/h5ad_source.h"
#include "io/hdf5.h"
#include "sources.h"

using namespace cellmill;

namespace {

enum class Layout { kContiguous, kChunked, kDeflated, kShuffled };

/// A 1-d dataset of a type of choice. Chunks that we inflate may hold any bytes; those that HDF5
/// inflates may not: one that is shorter than its dataset says makes 1.10 read behind it.
void number_list(fuzz::Script& script, hid_t file, const std::string& name, std::size_t usual,
                 const std::vector<std::int64_t>& values) {
  const hid_t types[] = {H5T_STD_I32LE, H5T_STD_I64LE, H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_U8LE,
                         H5T_STD_I32BE, H5T_STD_U64LE, H5T_IEEE_F32BE, H5T_STD_I16LE};
  const hid_t type = types[script.choose(4) != 0 ? usual : script.choose(std::size(types))];
  const auto layout = static_cast<Layout>(script.choose(4));
  hsize_t count = values.size();
  const bool flat = script.choose(16) == 0;
  const hsize_t sizes[] = {flat ? 1 : count, count};
  const hid_t space = H5Screate_simple(flat ? 2 : 1, sizes, nullptr);
  const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t chunk = 1 + script.choose(16);
  if (layout != Layout::kContiguous && !flat && count > 0) {
    H5Pset_chunk(create, 1, &chunk);
    if (layout == Layout::kShuffled) H5Pset_shuffle(create);
    if (layout != Layout::kChunked) H5Pset_deflate(create, 1);
  }
  const hid_t set = H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, create, H5P_DEFAULT);
  if (script.choose(32) != 0)
    H5Dwrite(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  const bool ours = type == types[usual] && (name == "/X/indices" || name == "/X/data");
  if (ours && layout != Layout::kContiguous && !flat && count > 0 && script.choose(6) == 0) {
    const hsize_t first = script.choose((count + chunk - 1) / chunk) * chunk;
    const std::string_view bytes = script.bytes(200);
    if (!bytes.empty())
      H5Dwrite_chunk(set, H5P_DEFAULT, static_cast<std::uint32_t>(script.choose(4)), &first,
                     bytes.size(), bytes.data());
  }
  H5Dclose(set);
  H5Pclose(create);
  H5Sclose(space);
}

/// Whole numbers, small ones as a rule, now and then any.
std::vector<std::int64_t> numbers(fuzz::Script& script, std::size_t count, std::size_t below) {
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t value = script.take<std::uint8_t>();
    values.push_back(value == 255 ? script.take<std::int64_t>()
                                  : static_cast<std::int64_t>(value % (below + 1)));
  }
  return values;
}

std::vector<std::string> texts(fuzz::Script& script, std::size_t count) {
  static const char* const usual[] = {"alpha", "beta", "", "nan", " x ", "α", "\xe8"};
  std::vector<std::string> made;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t which = script.choose(std::size(usual) + 1);
    std::string text = which < std::size(usual) ? usual[which] : std::string(script.bytes(9));
    made.push_back(text.substr(0, text.find('\0')));
  }
  return made;
}

std::size_t near(fuzz::Script& script, std::size_t count) {
  const std::size_t choice = script.choose(24);
  return choice == 0 ? count + 1 : choice == 1 && count > 0 ? count - 1 : count;
}

struct Shape {
  std::size_t rows, columns;
};

void csr(fuzz::Script& script, io::H5File& file, Shape shape) {
  static const char* const encodings[] = {"csr_matrix", "csr_matrix", "csr_matrix", "csc_matrix",
                                          "?"};
  const auto handle = static_cast<hid_t>(io::h5::handle_of(file));
  file.make_group("/X");
  if (script.choose(16) != 0)
    file.set_attribute("/X", "encoding-type", std::string(encodings[script.choose(5)]));
  std::vector<std::int64_t> said{static_cast<std::int64_t>(shape.rows),
                                 static_cast<std::int64_t>(shape.columns)};
  if (script.choose(16) == 0) said[script.choose(2)] = script.take<std::int64_t>();
  if (script.choose(32) == 0) said.pop_back();
  file.set_attribute("/X", "shape", said);
  std::vector<std::int64_t> indptr(1, 0);
  for (std::size_t r = 0; r < shape.rows; ++r)
    indptr.push_back(indptr.back() + static_cast<std::int64_t>(script.choose(4)));
  const auto entries = static_cast<std::size_t>(indptr.back());
  if (script.choose(4) == 0) indptr = numbers(script, near(script, shape.rows + 1), entries);
  std::vector<std::int64_t> indices;
  if (script.choose(3) != 0) {  // columns that rise
    for (std::size_t r = 0, k = 0; r < shape.rows; ++r) {
      const auto size = r + 1 < indptr.size() ? indptr[r + 1] - indptr[r] : 0;
      for (std::int64_t i = 0; i < size && k < entries; ++i, ++k) indices.push_back(i);
    }
    indices.resize(entries, 0);
  } else {
    indices = numbers(script, near(script, entries), shape.columns);
  }
  number_list(script, handle, "/X/indptr", 1, indptr);
  number_list(script, handle, "/X/indices", 0, indices);
  number_list(script, handle, "/X/data", 2, numbers(script, near(script, entries), 99));
}

void dense(fuzz::Script& script, io::H5File& file, Shape shape) {
  std::vector<float> values;
  for (std::size_t i = 0; i < shape.rows * shape.columns; ++i)
    values.push_back(script.choose(32) == 0 ? script.take<float>()
                                            : static_cast<float>(script.take<std::uint8_t>()));
  file.write<float>(
      "/X", values,
      {static_cast<std::int64_t>(shape.rows), static_cast<std::int64_t>(shape.columns)},
      script.yes());
}

void column(fuzz::Script& script, io::H5File& file, std::size_t rows) {
  const auto handle = static_cast<hid_t>(io::h5::handle_of(file));
  const auto codes = [&](const std::string& name) {
    number_list(script, handle, name, 0, numbers(script, near(script, rows), 3));
  };
  const auto flags = [&](const std::string& name) {
    file.write_bools(name, script.list<std::uint8_t>(near(script, rows)));
  };
  switch (script.choose(8)) {
    case 0:
      file.make_group("/obs/__categories");
      file.write_strings("/obs/__categories/f", texts(script, script.choose(5)));
      codes("/obs/f");
      break;
    case 1:
      file.write_strings("/obs/f", texts(script, near(script, rows)));
      break;
    case 2:
      file.make_group("/obs/f");
      file.write_strings("/obs/f/values", texts(script, near(script, rows)));
      flags("/obs/f/mask");
      break;
    case 3:
      flags("/obs/f");
      break;
    case 4:
      codes("/obs/f");
      break;
    default:
      file.make_group("/obs/f");
      if (script.choose(4) != 0)
        file.write_strings("/obs/f/categories", texts(script, script.choose(5)));
      else
        number_list(script, handle, "/obs/f/categories", script.choose(4),
                    numbers(script, script.choose(5), 200));
      codes("/obs/f/codes");
  }
}

std::string write(fuzz::Script& script) {
  const std::string path = (fuzz::folder() / "cells.h5ad").string();
  io::H5File file = io::H5File::create(path);
  const Shape shape{script.choose(9), 1 + script.choose(7)};
  for (const char* table : {"/obs", "/var"}) {
    file.make_group(table);
    if (script.choose(16) != 0) file.set_attribute(table, "_index", std::string("_index"));
  }
  if (script.choose(4) != 0)
    csr(script, file, shape);
  else
    dense(script, file, shape);
  std::vector<std::string> genes;
  for (std::size_t g = 0; g < shape.columns; ++g) genes.push_back("gene" + std::to_string(g));
  file.write_strings("/var/_index",
                     script.choose(8) != 0 ? genes : texts(script, near(script, shape.columns)));
  column(script, file, shape.rows);
  file.close();
  return path;
}

void read(const std::string& path, bool counts) {
  data::SourceOptions options;
  options.path = path;
  options.fields = {"f"};
  options.chunk_cells = 3;
  options.raw_counts = counts;
  fuzz::read_all(data::H5adSource(options));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Script script(data, size);
  const bool counts = script.yes();
  const std::string path = write(script);
  fuzz::accepted([&] { read(path, counts); });
  return 0;
}
