#include "infer/input.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

#include "../expect.h"
#include "infer/result_file.h"

namespace cellmill::infer {
namespace {

using Catch::Contains;

const data::Vocabulary kModel{{{"cell_type", {"alpha", "beta"}}, {"sex", {"female", "male"}}},
                              {"A", "B", "C", "D"}};

// Five cells of genes C, X, A, D with labels in the file's own order; no field `sex`.
std::string write_cells(const Scratch& scratch) {
  const std::string path = scratch / "cells.h5ad";
  const auto file =
      make_result_file(path, {{"c0", "c1", "c2", "c3", "c4"}, {"C", "X", "A", "D"}, {"X"}});
  file->append("X", at::arange(1, 21, at::kFloat).reshape({5, 4}));
  Annotations annotations;
  annotations.obs = {{"kind", Categorical{{0, 1, 2, -1, 2}, {"beta", "gamma", "alpha"}}}};
  file->finish(annotations);
  return path;
}

InputOptions options_for(const std::string& path) {
  InputOptions options;
  options.path = path;
  options.columns = {"cell_type=kind"};
  options.batch_cells = 2;
  return options;
}

}  // namespace

CATCH_TEST_CASE("cells come in the model's genes and codes, in the order of the file") {
  Scratch scratch;
  Input input(options_for(write_cells(scratch)), kModel);
  CATCH_CHECK(input.cells() == 5);
  CATCH_CHECK(input.names()[4] == "c4");
  CATCH_CHECK(input.has_field(0));
  CATCH_CHECK(!input.has_field(1));
  CATCH_CHECK(input.fields()[0].name == "cell_type");
  std::vector<std::int64_t> sizes, labels, sexes;
  at::Tensor x;
  while (const auto cells = input.next()) {
    const data::Batch& b = cells->batch;
    sizes.push_back(b.size());
    const at::Tensor dense =
        at::sparse_csr_tensor(b.indptr, b.indices, b.values, {b.size(), 4}, at::kFloat).to_dense();
    x = x.defined() ? at::cat({x, dense}) : dense;
    for (std::int64_t i = 0; i < b.size(); ++i) {
      labels.push_back(b.labels[i][0].item<std::int64_t>());
      sexes.push_back(b.labels[i][1].item<std::int64_t>());
      CATCH_CHECK(b.cells[i].item<std::int64_t>() == static_cast<std::int64_t>(labels.size()) - 1);
    }
    CATCH_CHECK(b.global_cells == b.size());
  }
  CATCH_CHECK(sizes == std::vector<std::int64_t>{2, 2, 1});
  CATCH_CHECK(at::equal(x[1], at::tensor({7.f, 0.f, 5.f, 8.f})));
  CATCH_CHECK(at::equal(x[4], at::tensor({19.f, 0.f, 17.f, 20.f})));
  CATCH_CHECK(labels == std::vector<std::int64_t>{1, -1, 0, -1, 0});
  CATCH_CHECK(sexes == std::vector<std::int64_t>{-1, -1, -1, -1, -1});
  CATCH_CHECK(input.label_notes() ==
              std::vector<std::string>{"cell_type: 1 cells have a category that the model does not "
                                       "know, taken as missing: 'gamma' (1)"});
}

CATCH_TEST_CASE("a column that is not there and a field that is not the model's are refused") {
  Scratch scratch;
  InputOptions options = options_for(write_cells(scratch));
  options.columns = {"cell_type=kynd"};
  CATCH_CHECK_THAT(error_of([&] { Input(options, kModel); }),
                   Contains("65 ") &&
                       Contains("/obs: no such column; expected a column 'kynd' of "
                                "categories") &&
                       Contains("did you mean kind?"));
  options.columns = {"celltype=kind"};
  CATCH_CHECK_THAT(error_of([&] { Input(options, kModel); }),
                   Contains("64 --column celltype=kind: the model has no field 'celltype'") &&
                       Contains("did you mean cell_type?"));
  options.columns = {"kind"};
  CATCH_CHECK_THAT(error_of([&] { Input(options, kModel); }),
                   Contains("--column kind is not FIELD=COLUMN"));
}

CATCH_TEST_CASE("counts are told from logarithms") {
  data::Chunk chunk;
  chunk.values = {1, 2, 14};
  CATCH_CHECK(looks_like_counts(chunk));
  chunk.values = {1, 2, 9};
  CATCH_CHECK(!looks_like_counts(chunk));
  chunk.values = {1, 2.5f, 14};
  CATCH_CHECK(!looks_like_counts(chunk));
}

CATCH_TEST_CASE("columns are renamed, dropped and sorted again") {
  data::Chunk chunk;
  chunk.rows = 2;
  chunk.genes = 3;
  chunk.indptr = {0, 3, 4};
  chunk.indices = {0, 1, 2, 1};
  chunk.values = {1, 2, 3, 4};
  const data::Chunk out = with_columns(chunk, {4, -1, 0}, 5);
  CATCH_CHECK(out.genes == 5);
  CATCH_CHECK(out.indptr == std::vector<std::int64_t>{0, 2, 2});
  CATCH_CHECK(out.indices == UnsetVector<std::int32_t>{0, 4});
  CATCH_CHECK(out.values == UnsetVector<float>{3, 1});
}

}  // namespace cellmill::infer
