#include "data/sources/h5ad_source.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "../../suites/chunk_source_suite.h"
#include "../expect.h"
#include "base/log.h"
#include "io/files.h"

using namespace cellmill;
using namespace cellmill::data;
using Catch::Contains;
using io::H5File;
using Codes = std::vector<std::int32_t>;
using Names = std::vector<std::string>;

namespace {

// what tests/data/make_data_fixtures.py put into it
const std::string kCells = TEST_DATA "/data/cells.h5ad";
float cell_value(std::int64_t row, std::int64_t column) {
  return static_cast<float>((column == row % 5 ? row + 1 : 0) +
                            (column == (2 * row + 1) % 5 ? 0.5 : 0));
}

SourceOptions cells(const Names& fields) {
  SourceOptions options;
  options.path = kCells;
  options.fields = fields;
  options.chunk_cells = 3;
  return options;
}

std::vector<float> dense(const ChunkSource& source) {
  std::vector<float> all;
  for (const ChunkInfo& info : source.index()) {
    const Chunk chunk = source.load(info.id);
    for (std::int64_t r = 0; r < chunk.rows; ++r) {
      all.resize(all.size() + chunk.genes);
      for (auto k = chunk.indptr[r]; k < chunk.indptr[r + 1]; ++k)
        all[all.size() - chunk.genes + chunk.indices[k]] = chunk.values[k];
    }
  }
  return all;
}

std::vector<float> expected(float scale, std::int64_t copies = 1) {
  std::vector<float> all;
  for (std::int64_t r = 0; r < 7; ++r)
    for (std::int64_t k = 0; k < copies; ++k)
      for (std::int64_t c = 0; c < 5; ++c) all.push_back(scale * cell_value(r, c));
  return all;
}

Codes labels(const ChunkSource& source) {
  Codes all;
  for (const ChunkInfo& info : source.index()) {
    const auto part = source.load(info.id).labels;
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

/// A file of 3 cells and 2 genes, made by hand, to be spoilt.
struct Handmade {
  Scratch scratch;
  std::string path = scratch / "hand.h5ad";
  explicit Handmade(const std::function<void(H5File&)>& matrix) {
    H5File file = H5File::create(path);
    for (const char* table : {"/obs", "/var"}) {
      file.make_group(table);
      file.set_attribute(table, "_index", std::string("_index"));
    }
    file.write_strings("/obs/_index", {"a", "b", "c"});
    file.write_strings("/var/_index", {"G0", "G1"});
    file.write_strings("/obs/sex", {"F", "M", "F"});
    matrix(file);
    file.close();
  }
  SourceOptions options() const {
    SourceOptions o;
    o.path = path;
    o.fields = {"sex"};
    return o;
  }
};

void write_csr(H5File& file, const std::vector<std::int64_t>& indptr,
               const std::vector<std::int32_t>& indices, const std::vector<float>& data,
               const std::string& encoding = "csr_matrix") {
  file.make_group("/X");
  file.set_attribute("/X", "encoding-type", encoding);
  file.set_attribute("/X", "shape", std::vector<std::int64_t>{3, 2});
  file.write<std::int64_t>("/X/indptr", indptr, {static_cast<std::int64_t>(indptr.size())});
  file.write<std::int32_t>("/X/indices", indices, {static_cast<std::int64_t>(indices.size())});
  file.write<float>("/X/data", data, {static_cast<std::int64_t>(data.size())});
}

}  // namespace

CATCH_TEST_CASE("an h5ad file keeps the promises of a source", "[h5ad]") {
  auto options = cells({"cell_type", "sex", "is_primary", "treated", "time_h"});
  for (const char* layer : {"", "raw", "dense"}) {
    options.layer = layer;
    check_source(*open_source(options));
  }
}

CATCH_TEST_CASE("X, raw and dense layers hold what anndata wrote", "[h5ad]") {
  auto options = cells({"sex"});
  CATCH_CHECK(dense(H5adSource(options)) == expected(1));
  CATCH_CHECK(H5adSource(options).vocabulary().genes == Names{"G0", "G1", "G2", "G3", "G4"});
  CATCH_CHECK(H5adSource(options).cell_names().back() == "cell_6");
  options.layer = "dense";
  CATCH_CHECK(dense(H5adSource(options)) == expected(2));
  options.layer = "raw";
  CATCH_CHECK(dense(H5adSource(options)) == expected(1, 2));
  CATCH_CHECK(H5adSource(options).vocabulary().genes.back() == "R9");
}

CATCH_TEST_CASE("raw counts are normalised row by row", "[h5ad]") {
  auto options = cells({"sex"});
  options.raw_counts = true;
  const auto values = dense(H5adSource(options));
  CATCH_CHECK(values[0] == Approx(std::log1p(1e4 / 1.5)));
  CATCH_CHECK(values[1] == Approx(std::log1p(5e3 / 1.5)));
  CATCH_CHECK(values[4 * 5 + 4] == Approx(std::log1p(1e4)));
}

CATCH_TEST_CASE("categoricals, text and truth values become codes", "[h5ad]") {
  const auto column = [](const std::string& name) {
    const H5adSource source(cells({name}));
    return std::pair{source.vocabulary().fields[0].categories, labels(source)};
  };
  CATCH_CHECK(column("cell_type") == std::pair{Names{"T", "NK", "B"}, Codes{0, 2, -1, 0, 1, 2, 0}});
  CATCH_CHECK(column("sex") == std::pair{Names{"F", "M"}, Codes{0, 1, 1, -1, 0, 0, 1}});
  CATCH_CHECK(column("is_primary") ==
              std::pair{Names{"False", "True"}, Codes{1, 0, 1, 1, 1, 1, 0}});
  CATCH_CHECK(column("treated") == std::pair{Names{"False", "True"}, Codes{1, -1, 0, 1, 1, -1, 0}});
  CATCH_CHECK(column("time_h") == std::pair{Names{"6.0", "24.5"}, Codes{0, 0, 1, -1, 0, 1, 0}});
}

CATCH_TEST_CASE("a metadata folder gives the order of categories", "[h5ad]") {
  Scratch scratch;
  io::write_text_atomically(scratch / "metadata_vocab.json",
                            R"({"cell_type": {"B": 0, "T": 1}, "depth": {}})");
  auto options = cells({"cell_type"});
  options.metadata = scratch.folder.string();
  log::also_to(scratch / "log");
  const H5adSource source(options);
  CATCH_CHECK(source.vocabulary().fields[0].categories == Names{"B", "T"});
  CATCH_CHECK(labels(source) == Codes{1, 0, -1, 1, -1, 0, 1});
  log::flush();
  CATCH_CHECK_THAT(io::read_text(scratch / "log"),
                   Contains("obs column 'cell_type': 1 of 7 cells have categories that the "
                            "vocabulary lacks and count as missing: NK"));
  options.fields = {"sex"};
  CATCH_CHECK_THAT(error_of([&] { H5adSource{options}; }),
                   Contains("metadata_vocab.json: no field 'sex' with categories"));
}

CATCH_TEST_CASE("metadata: none reads cells without labels", "[h5ad]") {
  auto options = cells({});
  options.metadata = "none";
  CATCH_CHECK(H5adSource(options).vocabulary().fields.empty());
  CATCH_CHECK(H5adSource(options).load(1).labels.empty());
}

CATCH_TEST_CASE("who needs no labels names no fields", "[h5ad]") {
  auto options = cells({});
  CATCH_CHECK_THROWS_AS(H5adSource(options), DataError);
  options.labels_optional = true;
  CATCH_CHECK(H5adSource(options).vocabulary().fields.empty());
  options.fields = {"sex"};
  CATCH_CHECK(H5adSource(options).vocabulary().fields.size() == 1);
}

CATCH_TEST_CASE("columns and matrices that cannot be used are named", "[h5ad]") {
  CATCH_CHECK(error_of([] { H5adSource{cells({})}; }) ==
              "65 " + kCells +
                  ": /obs: no conditioning fields named\n  hint: set `fields` to some of: "
                  "cell_type, is_primary, sex, time_h, treated");
  CATCH_CHECK(error_of([] { H5adSource{cells({"cel_type"})}; }) ==
              "65 " + kCells + ": /obs: no column 'cel_type'\n  hint: did you mean cell_type?");
  CATCH_CHECK_THAT(error_of([] { H5adSource{cells({"batch"})}; }),
                   Contains("/obs/batch: a column without categories; expected a categorical, text "
                            "or truth values; found numbers\n  hint: columns with categories: "));
  auto options = cells({"sex"});
  options.layer = "denze";
  CATCH_CHECK(error_of([&] { H5adSource{options}; }) ==
              "65 " + kCells + ": /layers/denze: no such matrix\n  hint: did you mean dense?");
  options.layer = "columns";
  CATCH_CHECK(
      error_of([&] { H5adSource{options}; }) ==
      "65 " + kCells +
          ": /layers/columns: rows of this matrix cannot be read alone; expected csr_matrix "
          "or a dense array; found csc_matrix\n  hint: write it anew: python -c \"import "
          "anndata; a = anndata.read_h5ad('" +
          kCells + "'); a.layers['columns'] = a.layers['columns'].tocsr(); a.write_h5ad('" +
          kCells.substr(0, kCells.size() - 5) + ".new.h5ad')\"");
}

CATCH_TEST_CASE("labels that are all missing are for asking, not for training", "[h5ad]") {
  const Handmade made([](H5File& file) {
    write_csr(file, {0, 1, 1, 1}, {0}, {1});
    file.write_strings("/obs/tissue", {"", "nan", ""});
  });
  auto options = made.options();
  options.fields = {"tissue"};
  CATCH_CHECK_THAT(error_of([&] { H5adSource{options}; }), Contains("all values are missing"));
  options.known_genes = {"G0", "G1"};
  CATCH_CHECK(labels(H5adSource(options)) == Codes{kMissing, kMissing, kMissing});
}

CATCH_TEST_CASE("a spoilt matrix is refused with its place", "[h5ad]") {
  const auto loading = [](const Handmade& made) {
    return error_of([&] {
      auto options = made.options();
      options.chunk_cells = 2;
      const H5adSource source(options);
      for (const ChunkInfo& info : source.index()) source.load(info.id);
    });
  };
  const Handmade good([](H5File& f) { write_csr(f, {0, 1, 1, 2}, {1, 0}, {0.5, 2}); });
  CATCH_CHECK(loading(good) == "no error");
  const Handmade nan([](H5File& f) { write_csr(f, {0, 1, 1, 2}, {1, 0}, {0.5, std::nanf("")}); });
  CATCH_CHECK(loading(nan) == "65 " + nan.path +
                                  ": /X: row 2, column 0: not a number; expected a finite value of "
                                  "at least 0; found nan");
  const Handmade dense_nan([](H5File& f) {
    f.write<float>("/X", std::vector<float>{0, 1, 2, 0, -1, 3}, {3, 2});
  });
  CATCH_CHECK_THAT(loading(dense_nan), Contains("/X: row 2, column 0: a negative value"));
  const Handmade falling([](H5File& f) { write_csr(f, {0, 2, 1, 2}, {1, 0}, {0.5, 2}); });
  CATCH_CHECK_THAT(loading(falling), Contains("/X: row 1: indptr falls; expected at least 2"));
  const Handmade outside([](H5File& f) { write_csr(f, {0, 1, 9, 9}, {1, 0}, {0.5, 2}); });
  CATCH_CHECK_THAT(
      loading(outside),
      Contains("/X/indptr, rows 0 to 2: indptr points outside of the entries; expected "
               "rising, within 0 to 2; found 0 to 9"));
  const Handmade wide([](H5File& f) { write_csr(f, {0, 1, 1, 2}, {1, 2}, {0.5, 2}); });
  CATCH_CHECK_THAT(loading(wide), Contains("row 2: a column that does not exist; expected 0 to 1"));
  const Handmade few([](H5File& f) { write_csr(f, {0, 1, 2}, {1, 0}, {0.5, 2}); });
  CATCH_CHECK_THAT(loading(few), Contains("/X/indptr: another length than the rows ask for"));
  const Handmade unlabelled([](H5File& f) {
    f.write<float>("/X", std::vector<float>(4, 1), {2, 2});
  });
  CATCH_CHECK_THAT(loading(unlabelled),
                   Contains("/obs/sex: labels and expression differ in length; expected 2 rows, as "
                            "/X has; found 3"));
  const Handmade more_genes([](H5File& f) {
    f.write<float>("/X", std::vector<float>(9, 1), {3, 3});
  });
  CATCH_CHECK_THAT(
      loading(more_genes),
      Contains("/var: columns and gene names differ in number; expected 3 names, as /X "
               "has columns; found 2"));
}

CATCH_TEST_CASE("the layout of anndata 0.7 is read", "[h5ad]") {
  const Handmade old([](H5File& f) {
    f.make_group("/X");
    f.set_attribute("/X", "h5sparse_format", std::string("csr"));
    f.set_attribute("/X", "h5sparse_shape", std::vector<std::int64_t>{3, 2});
    f.write<std::int64_t>("/X/indptr", std::vector<std::int64_t>{0, 1, 1, 2}, {4});
    f.write<std::int32_t>("/X/indices", std::vector<std::int32_t>{1, 0}, {2});
    f.write<float>("/X/data", std::vector<float>{0.5, 2}, {2});
    f.write<std::int32_t>("/obs/type", std::vector<std::int32_t>{1, -1, 0}, {3});
    f.write_strings("/obs/__categories/type", {"x", "y"});
  });
  auto options = old.options();
  options.fields = {"type"};
  const H5adSource source(options);
  CATCH_CHECK(dense(source) == std::vector<float>{0, 0.5, 0, 0, 2, 0});
  CATCH_CHECK(labels(source) == Codes{1, -1, 0});
}
