#include "infer/perturbation_answer.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cmath>

#include "../expect.h"
#include "io/hdf5.h"
#include "small_encoder.h"

namespace cellmill::infer {
namespace {

struct Job {
  Job() : encoder(12, 4, 16, false) {
    question.rules = {Move::kDelete, 1, 16, false};
    data::Sequences cells;
    cells.append(std::vector<std::int32_t>{4, 5, 6, 7});
    cells.append(std::vector<std::int32_t>{7, 9, 4});
    plan = make_plan(question, std::move(cells), 4, 9);
    dictionary = encoder.dictionary();
    dictionary.names = {{"TP53", "GENE4"}, {"ENSG1", "GENE4"}, {"TRP53", "GENE4"}};
  }
  /// Scores of variant v: cosine v / 10, mean v / 100, shifts v and -v; of gene i: v + i / 10.
  void write(const PerturbationPieces& pieces) const {
    std::int64_t variant = 0;
    for (std::int64_t b = 0; b < plan.block_count(); ++b) {
      Scores scores;
      std::vector<float> cells;
      for (; variant < plan.blocks[static_cast<std::size_t>(b) + 1]; ++variant) {
        const auto v = static_cast<float>(variant);
        cells.insert(cells.end(), {v / 10, v / 100, v, -v});
        const auto genes = variant < 4 ? 4 : 3;
        for (int i = 0; i < genes; ++i)
          scores.genes.push_back(i == variant % 4 ? NAN : v + static_cast<float>(i) / 10);
      }
      scores.cells = at::tensor(cells).view({-1, 4});
      pieces.write(b, scores);
    }
  }
  PerturbationAnswer answer() const {
    return {question, plan, dictionary, {"old", "new"}, {{"long", "short"}, {}}, {{"kind", "x"}}};
  }
  SmallEncoder encoder;
  PerturbationQuestion question;
  PerturbationPlan plan;
  data::GeneDictionary dictionary;
};

}  // namespace

CATCH_TEST_CASE("pieces: what is missing, and back with the same bits") {
  const Scratch scratch;
  const PerturbationPieces pieces(scratch.folder);
  CATCH_CHECK(pieces.missing(3) == std::vector<std::int64_t>{0, 1, 2});
  CATCH_CHECK_FALSE(pieces.states().defined());
  const Scores scores{at::randn({5, 3}), {1.f, NAN, 3.f}};
  pieces.write(1, scores);
  CATCH_CHECK(pieces.missing(3) == std::vector<std::int64_t>{0, 2});
  const Scores back = pieces.read(1);
  CATCH_CHECK(at::equal(back.cells, scores.cells));
  CATCH_CHECK(back.genes.size() == 3);
  CATCH_CHECK(std::isnan(back.genes[1]));
  const at::Tensor states = at::randn({2, 4}, at::kDouble);
  pieces.write_states(states);
  CATCH_CHECK(at::equal(pieces.states(), states));
}

CATCH_TEST_CASE("pieces without genes or variants of states") {
  const Scratch scratch;
  const PerturbationPieces pieces(scratch.folder);
  pieces.write(0, {at::randn({5, 2}), {}});
  CATCH_CHECK(pieces.read(0).genes.empty());
  pieces.write_states(at::zeros({0, 4}, at::kDouble));
  CATCH_CHECK(pieces.states().sizes() == at::IntArrayRef({0, 4}));
}

CATCH_TEST_CASE(
    "the answer of cells: a row a cell, a column a perturbation, NaN where it cannot be") {
  const Scratch scratch;
  const Job job;
  CATCH_REQUIRE(job.plan.block_count() > 1);
  CATCH_REQUIRE(job.plan.size() == 7);
  const PerturbationPieces pieces(scratch.folder);
  job.write(pieces);
  const auto path = scratch / "a.h5ad";
  const auto summary = write_cells(job.answer(), pieces, path);
  const auto file = io::H5File::open(path);
  const auto x = file.read<float>("/X");  // columns 4 5 6 7 9
  const std::vector<float> expected = {0, .1f, .2f, .3f, NAN, .4f, NAN, NAN, .5f, .6f};
  CATCH_REQUIRE(x.size() == expected.size());
  for (std::size_t i = 0; i < x.size(); ++i)
    CATCH_CHECK(((std::isnan(x[i]) && std::isnan(expected[i])) || x[i] == expected[i]));
  CATCH_CHECK(file.read<float>("/layers/shift_to_new")[5] == -4);
  CATCH_CHECK(file.read<float>("/var/n_detections") == std::vector<float>{2, 1, 1, 2, 1});
  CATCH_CHECK(file.read<float>("/var/mean_shift_to_old")[0] == 2);
  CATCH_CHECK(summary.names[0] == "TP53");
  const auto text = text_of(summary, 2);
  CATCH_CHECK(text.find("TP53") != std::string::npos);
  CATCH_CHECK(text.find("... 3 more") != std::string::npos);
}

CATCH_TEST_CASE("the answer of genes: mean, deviation and number of cells of each pair") {
  const Scratch scratch;
  const Job job;
  const PerturbationPieces pieces(scratch.folder);
  job.write(pieces);
  const auto path = scratch / "a.h5ad";
  auto answer = job.answer();
  write_genes(answer, pieces, path);
  const auto file = io::H5File::open(path);
  CATCH_CHECK(file.shape("/X") == std::vector<std::int64_t>{5, 5});
  const auto mean = file.read<float>("/X"), stdev = file.read<float>("/layers/stdev"),
             count = file.read<float>("/layers/n_detections");
  // 4 deleted: 7 is at rank 3 of variant 0 (0.3) and at rank 0 of variant 4, where it is NaN here
  CATCH_CHECK(count[3] == 1);
  CATCH_CHECK(mean[3] == Approx(0.3));
  // 7 deleted: 4 is at rank 0 of variant 3 (3) and at rank 2 of variant 5 (5.2)
  CATCH_CHECK(count[15] == 2);
  CATCH_CHECK(mean[15] == Approx(4.1));
  CATCH_CHECK(stdev[15] == Approx(1.1));
  CATCH_CHECK(count[0] == 1);
  CATCH_CHECK(std::isnan(mean[4 * 5 + 1]));
}

}  // namespace cellmill::infer
