#include "infer/result_file.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "../expect.h"
#include "io/files.h"
#include "io/hdf5.h"

namespace cellmill::infer {
namespace {

using Catch::Contains;
namespace fs = std::filesystem;

Annotations some_annotations() {
  Annotations a;
  a.obs = {{"type", Categorical{{1, -1, 0}, {"alpha", "be\"t,a"}}},
           {"weight", std::vector<float>{0.5f, 1, 2}},
           {"changed", std::vector<bool>{true, false, true}}};
  a.var = {{"in_input", std::vector<bool>{true, false}}};
  a.obsm = {{"norms", {"base", "type"}, at::arange(6, at::kFloat).reshape({3, 2})}};
  a.facts = {{"origin", "a test"}};
  return a;
}

void write(const std::string& path, const std::vector<std::string>& matrices) {
  const auto file = make_result_file(path, {{"c0", "c1", "c2"}, {"G1", "G2"}, matrices});
  for (const std::string& name : matrices) {
    file->append(name, at::arange(1, 5, at::kFloat).reshape({2, 2}));
    file->append(name, at::tensor({5.f, 0.25f}).reshape({1, 2}));
  }
  file->finish(some_annotations());
}

std::size_t files_in(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

}  // namespace

CATCH_TEST_CASE("an h5ad answer holds what anndata's encoding asks for") {
  Scratch scratch;
  const std::string path = scratch / "a.h5ad";
  write(path, {"X", "base"});
  CATCH_CHECK(files_in(scratch.folder) == 1);
  const io::H5File file = io::H5File::open(path);
  CATCH_CHECK(file.string_attribute("/", "encoding-type") == "anndata");
  CATCH_CHECK(file.read<float>("/X") == std::vector<float>{1, 2, 3, 4, 5, 0.25f});
  CATCH_CHECK(file.read<float>("/layers/base") == file.read<float>("/X"));
  CATCH_CHECK(file.strings_attribute("/obs", "column-order") ==
              std::vector<std::string>{"type", "weight", "changed"});
  CATCH_CHECK(file.read_strings("/obs/_index") == std::vector<std::string>{"c0", "c1", "c2"});
  CATCH_CHECK(file.read<std::int32_t>("/obs/type/codes") == std::vector<std::int32_t>{1, -1, 0});
  CATCH_CHECK(file.read_strings("/obs/type/categories")[1] == "be\"t,a");
  CATCH_CHECK(file.string_attribute("/obs/type", "encoding-type") == "categorical");
  CATCH_CHECK(file.read<float>("/obsm/norms") == std::vector<float>{0, 1, 2, 3, 4, 5});
  CATCH_CHECK(file.read_strings("/uns/norms_names") == std::vector<std::string>{"base", "type"});
  CATCH_CHECK(file.read_string("/uns/origin") == "a test");
}

CATCH_TEST_CASE("a slash in a name makes no group") {
  Scratch scratch;
  const auto file = make_result_file(scratch / "a.h5ad", {{"c0"}, {"G1"}, {"a/b"}});
  file->append("a/b", at::ones({1, 1}));
  Annotations annotations;
  annotations.obs = {{"x/y", std::vector<float>{1}}};
  file->finish(annotations);
  const io::H5File written = io::H5File::open(scratch / "a.h5ad");
  CATCH_CHECK(written.read<float>("/layers/a_b") == std::vector<float>{1});
  CATCH_CHECK(written.strings_attribute("/obs", "column-order") == std::vector<std::string>{"x_y"});
  CATCH_CHECK(written.exists("/obs/x_y"));
}

CATCH_TEST_CASE("a csv answer has cells down and genes across, and the cells beside it") {
  Scratch scratch;
  write(scratch / "a.csv", {"X", "base"});
  const std::string matrix = "cell,G1,G2\nc0,1,2\nc1,3,4\nc2,5,0.25\n";
  CATCH_CHECK(io::read_text(scratch / "a.csv") == matrix);
  CATCH_CHECK(io::read_text(scratch / "a.base.csv") == matrix);
  const std::string cells =
      "cell,type,weight,changed,norms:base,norms:type\n"
      "c0,\"be\"\"t,a\",0.5,true,0,1\nc1,,1,false,2,3\nc2,alpha,2,true,4,5\n";
  CATCH_CHECK(io::read_text(scratch / "a.obs.csv") == cells);
  write(scratch / "b.csv", {});
  CATCH_CHECK(io::read_text(scratch / "b.csv") == cells);
  CATCH_CHECK(files_in(scratch.folder) == 4);
}

CATCH_TEST_CASE("an answer that is not finished leaves nothing") {
  Scratch scratch;
  for (const char* name : {"a.h5ad", "a.npz", "a.csv"}) {
    const auto file = make_result_file(scratch / name, {{"c0"}, {"G1"}, {"X"}});
    file->append("X", at::ones({1, 1}));
  }
  CATCH_CHECK(files_in(scratch.folder) == 0);
  const auto short_one = make_result_file(scratch / "b.h5ad", {{"c0", "c1"}, {"G1"}, {"X"}});
  short_one->append("X", at::ones({1, 1}));
  CATCH_CHECK_THROWS_WITH(short_one->finish({}), "X does not have every cell");
}

CATCH_TEST_CASE("an impossible output is refused before any work") {
  Scratch scratch;
  CATCH_CHECK_THAT(error_of([&] { check_result_path(scratch / "a.txt"); }),
                   Contains("64 cannot write") && Contains("known: .h5ad, .npz, .csv"));
  CATCH_CHECK_THAT(error_of([&] { check_result_path(scratch / "no/a.csv"); }),
                   Contains("66 ") && Contains("is not there") && Contains("hint: mkdir -p "));
  fs::create_directory(scratch / "d.csv");
  CATCH_CHECK_THAT(error_of([&] { check_result_path(scratch / "d.csv"); }),
                   Contains("cannot be written; expected a file name; found a folder"));
}

}  // namespace cellmill::infer
