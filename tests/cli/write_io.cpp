// write_io FOLDER: one file of each kind that io writes, for judge_io.py to read with the real
// libraries. The values are those that it asserts.
#include <cstdio>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "io/events.h"
#include "io/hdf5.h"
#include "io/npz.h"
#include "io/safetensors.h"
#include "io/zip.h"

using namespace cellmill;
using namespace cellmill::io;
namespace fs = std::filesystem;

namespace {

void write_arrays(const fs::path& folder) {
  CsrFile matrix{
      .rows = 3, .columns = 4, .indptr = {0, 2, 2, 3}, .indices = {1, 3, 0}, .values = {0.5, 2, 7}};
  write_csr(folder / "stored.npz", matrix, false);
  write_csr(folder / "deflated.npz", matrix, true);
  NpzWriter arrays(folder / "arrays.npz");
  arrays.add("values", std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  arrays.add("scalar", std::vector<float>{7}, {});
  arrays.add("numbers", std::vector<std::int64_t>{-1, std::int64_t{1} << 40}, {2});
  arrays.add("names", {"né", "", "β cell 𝛽"});
  arrays.close();
  ZipWriter many(folder / "many.zip");
  for (int i = 0; i < 66'000; ++i) many.add(std::to_string(i), {}, false);
  many.add("last", std::vector<std::uint8_t>(1000, 'x'), true);
  many.close();
}

void write_hdf5(const fs::path& folder) {
  std::vector<float> table(100'000);
  std::iota(table.begin(), table.end(), 0.f);
  H5File file = H5File::create(folder / "a.h5");
  file.write<float>("/deep/table", table, {1000, 100}, true);
  file.write<std::int32_t>("/codes", std::vector<std::int32_t>{0, -1, 2}, {3});
  file.write<double>("/scalar", std::vector<double>{0.1}, {});
  file.write_strings("/names", {"né", "", "β cell"});
  file.write_string("/text", "a: 1\n");
  file.write_bools("/flags", std::vector<std::uint8_t>{1, 0, 1});
  file.set_attribute("/", "encoding-type", std::string("anndata"));
  file.set_attribute("/deep", "shape", std::vector<std::int64_t>{3, 4});
  file.set_attribute("/deep", "count", std::int64_t{-5});
  file.set_attribute("/deep", "column-order", std::vector<std::string>{"b", "a"});
  file.set_attribute("/deep", "empty", std::vector<std::string>{});
  file.set_bool_attribute("/deep", "ordered", true);
  file.close();
}

/// The smallest h5ad that anndata opens: CSR, a categorical, a truth column.
void write_h5ad(const fs::path& folder) {
  H5File file = H5File::create(folder / "a.h5ad");
  auto encode = [&](const std::string& object, const std::string& type,
                    const std::string& version) {
    file.set_attribute(object, "encoding-type", type);
    file.set_attribute(object, "encoding-version", version);
  };
  encode("/", "anndata", "0.1.0");
  file.write<float>("/X/data", std::vector<float>{0.5, 2, 7}, {3});
  file.write<std::int32_t>("/X/indices", std::vector<std::int32_t>{1, 3, 0}, {3});
  file.write<std::int64_t>("/X/indptr", std::vector<std::int64_t>{0, 2, 2, 3}, {4});
  encode("/X", "csr_matrix", "0.1.0");
  file.set_attribute("/X", "shape", std::vector<std::int64_t>{3, 4});
  auto frame = [&](const std::string& group, const std::vector<std::string>& index,
                   const std::vector<std::string>& columns) {
    file.write_strings(group + "/_index", index);
    encode(group + "/_index", "string-array", "0.2.0");
    encode(group, "dataframe", "0.2.0");
    file.set_attribute(group, "_index", std::string("_index"));
    file.set_attribute(group, "column-order", columns);
  };
  frame("/var", {"g1", "g2", "g3", "g4"}, {});
  frame("/obs", {"c1", "c2", "c3"}, {"cell_type", "primary"});
  file.write<std::int32_t>("/obs/cell_type/codes", std::vector<std::int32_t>{1, -1, 0}, {3});
  encode("/obs/cell_type/codes", "array", "0.2.0");
  file.write_strings("/obs/cell_type/categories", {"alpha", "β"});
  encode("/obs/cell_type/categories", "string-array", "0.2.0");
  encode("/obs/cell_type", "categorical", "0.2.0");
  file.set_bool_attribute("/obs/cell_type", "ordered", false);
  file.write_bools("/obs/primary", std::vector<std::uint8_t>{1, 0, 1});
  encode("/obs/primary", "array", "0.2.0");
  file.close();
}

void write_tensors(const fs::path& folder) {
  const float values[] = {0.5f, -2.f};
  const auto* raw = reinterpret_cast<const std::uint8_t*>(values);
  Safetensors content;
  content.metadata = {{"format", "np"}};
  content.tensors["flag"] = {"BOOL", {}, {1}};
  content.tensors["weight"] = {"F32", {2, 1}, {raw, raw + 8}};
  content.tensors["none"] = {"I64", {0, 2}, {}};
  write_safetensors(folder / "a.safetensors", content);
}

void steps(EventWriter& writer, int first, int last, double offset) {
  for (int step = first; step <= last; ++step) writer.scalar("loss/train", step + offset, step);
}

/// events/<case>/: a whole run, and runs that were resumed at step 6 after having reached 10.
void write_events(const fs::path& folder) {
  for (const char* name : {"whole", "same_file", "new_file", "again", "dropped"})
    fs::create_directories(folder / name);
  {
    EventWriter writer(folder / "whole");
    writer.hparams({{"lr", 0.25}, {"model", std::string("cycle")}, {"zinb", true}}, {"loss/train"});
    steps(writer, 1, 10, 0.5);
    std::vector<float> values(1001);
    std::iota(values.begin(), values.end(), 0.f);
    writer.histogram("influence", values, 3);
    writer.histogram("constant", std::vector<float>{2, 2, 2}, 3);
    Image image{.width = 3, .height = 2, .rgb = {}};
    for (int i = 0; i < 18; ++i) image.rgb.push_back(static_cast<std::uint8_t>(i * 10));
    writer.image("figure", image, 4);
    writer.text("config", "# run\n\n| key | value |\n|---|---|\n| lr | 0.25 |\n", 5);
    writer.hparams_end(true);
    writer.flush();
  }
  {
    EventWriter writer(folder / "same_file");
    steps(writer, 1, 10, 0);
    writer.restart_at(6);
    steps(writer, 6, 12, 0.5);
  }
  for (const char* name : {"new_file", "again", "dropped"}) {
    EventWriter writer(folder / name);
    steps(writer, 1, 10, 0);
  }
  EventWriter::drop_from(folder / "dropped", 6);
  for (const char* name : {"new_file", "again", "dropped"}) {
    EventWriter writer(folder / name);
    if (name != std::string("dropped")) writer.restart_at(6);
    steps(writer, 6, 12, name == std::string("again") ? 0.25 : 0.5);
  }
  EventWriter writer(folder / "again");
  writer.restart_at(8);
  steps(writer, 8, 12, 0.5);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) throw UsageError("usage: write_io FOLDER");
  fs::path folder = argv[1];
  write_arrays(folder);
  write_hdf5(folder);
  write_h5ad(folder);
  write_tensors(folder);
  write_events(folder / "events");
  return 0;
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", error.text().c_str());
  return static_cast<int>(error.code());
}
