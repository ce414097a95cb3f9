#include "infer/embedding_file.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "../expect.h"
#include "io/hdf5.h"
#include "io/npz.h"
#include "io/zip.h"

namespace cellmill::infer {
namespace {

using Catch::Contains;
namespace fs = std::filesystem;

void write(const std::string& path, const RowNotes& notes) {
  const auto file = make_embedding_file(path, {"cells", {"c0", "c1", "c2"}}, 2);
  file->append(at::tensor({1.f, 2.f, 3.f, 4.f}).reshape({2, 2}));
  file->append(at::tensor({5.f, 6.f}).reshape({1, 2}));
  CATCH_CHECK(!fs::exists(path));
  file->finish(notes);
}

RowNotes some_notes() {
  RowNotes notes;
  notes.obs = {{"type", Categorical{{1, -1, 0}, {"a", "b"}}}};
  notes.facts = {{"origin", "a test"}};
  return notes;
}

io::NpyArray member(const io::ZipFile& zip, const std::string& name) {
  const auto* found = zip.find(name + ".npy");
  CATCH_REQUIRE(found);
  return io::parse_npy(zip.read(*found), zip.path(), name);
}

}  // namespace

CATCH_TEST_CASE("an npz of embeddings, rows written as they come") {
  Scratch scratch;
  const std::string path = scratch / "e.npz";
  auto notes = some_notes();
  notes.numbers = {{"offsets", {0, 2, 3}}};
  notes.texts = {{"gene_names", {"A", "B"}}};
  write(path, notes);
  const io::ZipFile zip(path);  // reading a member compares its CRC-32
  const auto rows = member(zip, "embeddings");
  CATCH_CHECK(rows.shape == std::vector<std::int64_t>{3, 2});
  CATCH_CHECK(rows.to_float(path, "") == std::vector<float>{1, 2, 3, 4, 5, 6});
  CATCH_CHECK(member(zip, "cells").to_strings(path, "") ==
              std::vector<std::string>{"c0", "c1", "c2"});
  CATCH_CHECK(member(zip, "obs/type").to_strings(path, "") ==
              std::vector<std::string>{"b", "", "a"});
  CATCH_CHECK(member(zip, "offsets").to_int64(path, "") == std::vector<std::int64_t>{0, 2, 3});
  CATCH_CHECK(member(zip, "gene_names").to_strings(path, "") == std::vector<std::string>{"A", "B"});
  CATCH_CHECK(member(zip, "uns/origin").to_strings(path, "").front() == "a test");
}

CATCH_TEST_CASE("an h5ad of embeddings") {
  Scratch scratch;
  const std::string path = scratch / "e.h5ad";
  write(path, some_notes());
  const io::H5File file = io::H5File::open(path);
  CATCH_CHECK(file.shape("/obsm/X_rank_encoder") == std::vector<std::int64_t>{3, 2});
  CATCH_CHECK(file.read<float>("/obsm/X_rank_encoder") == std::vector<float>{1, 2, 3, 4, 5, 6});
  CATCH_CHECK(file.string_attribute("/obsm/X_rank_encoder", "encoding-type") == "array");
  CATCH_CHECK(file.read_strings("/obs/_index") == std::vector<std::string>{"c0", "c1", "c2"});
  CATCH_CHECK(file.read_string("/uns/origin") == "a test");
}

CATCH_TEST_CASE("a file that is not finished is not there") {
  Scratch scratch;
  for (const char* name : {"e.npz", "e.h5ad"}) {
    make_embedding_file(scratch / name, {"cells", {"c"}}, 2)->append(at::ones({1, 2}));
    CATCH_CHECK(fs::is_empty(scratch.folder));
  }
  CATCH_CHECK_THAT(error_of([&] {
                     make_embedding_file(scratch / "e.h5ad", {"cells", {"c"}}, 2)->finish({});
                   }),
                   Contains("does not have every cell"));
}

CATCH_TEST_CASE("other suffixes and missing folders are refused") {
  Scratch scratch;
  CATCH_CHECK_THAT(error_of([&] { check_embedding_path(scratch / "e.csv"); }),
                   Contains("64 cannot write") && Contains("known: .npz, .h5ad"));
  CATCH_CHECK_THAT(error_of([&] { check_embedding_path(scratch / "no/e.npz"); }), Contains("66 "));
}

CATCH_TEST_CASE("facts stand beside embeddings under the names of the field's notebooks") {
  CATCH_CHECK(metadata_path("out/embeddings.npz") == "out/metadata.json");
  CATCH_CHECK(metadata_path("out/embeddings_bf16.npz") == "out/metadata_bf16.json");
  CATCH_CHECK(metadata_path("kang.h5ad") == "kang.metadata.json");
}

}  // namespace cellmill::infer
