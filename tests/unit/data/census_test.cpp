#include "data/census.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "../expect.h"
#include "base/error.h"
#include "data/census_report.h"
#include "data/census_source.h"
#include "data/expression.h"
#include "data/split.h"
#include "io/files.h"

using namespace cellmill;
using namespace cellmill::data;
using Catch::Contains;

namespace {

SourceOptions synthetic() {
  SourceOptions o;
  o.format = "synthetic";
  o.synthetic_cells = 700;
  o.synthetic_genes = 30;
  o.synthetic_categories = {3, 4};
  o.synthetic_missing = 0.2;
  o.chunk_cells = 90;
  return o;
}

/// Two cells of three genes, one field of two values and a second of three.
CensusReport small(const std::vector<std::int32_t>& labels, const std::vector<float>& values,
                   bool raw_counts = false) {
  Vocabulary v{{{"cell type", {"T", "B"}}, {"donor", {"d1", "d2", "d3"}}}, {"A", "B", "C"}};
  CensusReport report{"cells", raw_counts, v, Census(v), {}};
  Chunk chunk{.rows = static_cast<std::int64_t>(labels.size() / 2), .genes = 3};
  chunk.indptr = {0};
  for (std::int64_t r = 0; r < chunk.rows; ++r) {
    for (std::int32_t g = 0; g < 2; ++g) {
      chunk.indices.push_back(g);
      chunk.values.push_back(values[static_cast<std::size_t>(2 * r + g) % values.size()]);
    }
    chunk.indptr.push_back(2 * r + 2);
  }
  chunk.labels = labels;
  report.census.add(chunk, nullptr, 0);
  return report;
}

std::string remarks_of(const CensusReport& report) {
  std::string text;
  for (const Remark& remark : report.remarks()) text += remark.text + " | " + remark.hint + "\n";
  return text;
}

}  // namespace

CATCH_TEST_CASE("a census counts what a pass over the cells counts", "[census]") {
  const auto source = open_source(synthetic());
  const Census c = take_census(*source, {}, nullptr);
  std::int64_t entries = 0, missing = 0;
  double least = 1e30, sum_of_genes = 0;
  std::vector<std::int64_t> third(5);
  for (const ChunkInfo& info : source->index()) {
    const Chunk chunk = source->load(info.id);
    entries += chunk.entries();
    for (std::int64_t r = 0; r < chunk.rows; ++r) {
      double sum = 0;
      for (auto k = chunk.indptr[r]; k < chunk.indptr[r + 1]; ++k) sum += chunk.values[k];
      least = std::min(least, sum);
      sum_of_genes += static_cast<double>(chunk.indptr[r + 1] - chunk.indptr[r]);
      missing += chunk.labels[2 * r] == kMissing;
      ++third[chunk.labels[2 * r + 1] == kMissing ? 4 : chunk.labels[2 * r + 1]];
    }
  }
  CATCH_CHECK(c.cells == 700);
  CATCH_CHECK(c.entries == entries);
  CATCH_CHECK(c.library.min() == Approx(least));
  CATCH_CHECK(c.library.count() == 700);
  CATCH_CHECK(c.fields[0].cells[3] == missing);
  CATCH_CHECK(c.fields[1].cells == third);
  CATCH_CHECK(c.genes.quantile(0.5) == Approx(sum_of_genes / 700).epsilon(0.3));
  CATCH_REQUIRE(c.pairs.size() == 1);
  std::int64_t all = 0;
  for (const auto n : c.pairs[0].cells) all += n;
  CATCH_CHECK(all == 700);
}

CATCH_TEST_CASE("parts of the data, on threads or ranks, add up to the whole", "[census]") {
  const auto source = open_source(synthetic());
  const auto split = make_split(source->index(), {});
  CensusPlan whole;
  whole.validation = &split.validation;
  whole.threads = 3;
  const Census all = take_census(*source, whole, nullptr);
  Census joined(source->vocabulary());
  for (const std::int64_t rank : {1, 0, 2}) {
    CensusPlan part;
    part.validation = &split.validation;
    part.shard = {rank, 3};
    joined.merge(decode(encode(take_census(*source, part, nullptr)), source->vocabulary()));
  }
  CATCH_CHECK(all.held_out == std::count(split.validation.begin(), split.validation.end(), true));
  CATCH_CHECK(encode(joined) == encode(all));
  CATCH_CHECK_THROWS_WITH(decode(encode(all).substr(0, 300), source->vocabulary()),
                          Contains("cut short"));
}

CATCH_TEST_CASE("faulty values are counted with the first of each, and left out", "[census]") {
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  Chunk chunk{.rows = 3, .genes = 5};
  chunk.indptr = {0, 3, 7, 8};
  chunk.indices = {4, 1, 1, 0, 9, 2, 3, 0};
  chunk.values = {1, 2, 3, nan, 1, -2, infinity, 7};
  const auto faults = std::make_shared<Faults>();
  Expression(false, faults).prepare(chunk, "f.npz", 10);
  CATCH_CHECK(chunk.indptr == std::vector<std::int64_t>{0, 2, 2, 3});
  CATCH_CHECK(std::vector<std::int32_t>(chunk.indices.begin(), chunk.indices.end()) ==
              std::vector<std::int32_t>{1, 4, 0});
  const auto counts = faults->counts();
  CATCH_CHECK(counts.size() == 5);
  CATCH_CHECK(counts.at(Fault::kColumnTwice).place() == "f.npz: row 10, column 1");
  CATCH_CHECK(counts.at(Fault::kNotANumber).place() == "f.npz: row 11, column 0");
  CATCH_CHECK(counts.at(Fault::kColumnOutside).place() == "f.npz: row 11, column 9");
  CATCH_CHECK(counts.at(Fault::kNegative).count == 1);
  CATCH_CHECK(counts.at(Fault::kInfinite).place() == "f.npz: row 11, column 3");
}

CATCH_TEST_CASE("what a report remarks", "[census]") {
  std::vector<std::int32_t> even, dominated, together;
  for (int i = 0; i < 60; ++i) {
    even.insert(even.end(), {i % 2, i / 2 % 3});
    dominated.insert(dominated.end(), {i < 55 ? 0 : 1, i % 10 == 0 ? i / 10 % 2 : kMissing});
    together.insert(together.end(), {i % 2, i % 2});
  }
  CATCH_SECTION("nothing to remark but the silent gene") {
    CATCH_CHECK(remarks_of(small(even, {1, 40}, true)) == "1 of 3 genes are in no cell | \n");
    CATCH_CHECK_FALSE(small(even, {1, 40}, true).refused());
  }
  CATCH_SECTION("scales") {
    CATCH_CHECK_THAT(remarks_of(small(even, {1, 40})),
                     Contains("look like counts (all integers, the largest is 40)") &&
                         Contains("set data.raw_counts=true"));
    CATCH_CHECK_THAT(remarks_of(small(even, {0.5F, 1.5F}, true)),
                     Contains("would be normalised twice"));
    CATCH_CHECK_THAT(remarks_of(small(even, {0.5F, 1.5F})),
                     Contains("sums to between 4 and 4 in 98 of 100 cells, not to 10,000"));
    CATCH_CHECK_THAT(remarks_of(small(even, {0.5F, 40}, true)),
                     Contains("50.0 % of the values, taken as counts, are no whole numbers"));
  }
  CATCH_SECTION("labels") {
    const auto text = remarks_of(small(dominated, {1, 40}, true));
    CATCH_CHECK_THAT(text, Contains("cell type: 'T' dominates with 91.7 % of the labelled cells"));
    CATCH_CHECK_THAT(text, Contains("cell type: 1 of 2 values have fewer than 10 cells"));
    CATCH_CHECK_THAT(text, Contains("donor: 90.0 % of the cells have no label"));
    CATCH_CHECK_THAT(text, Contains("donor: 1 of 3 values of the vocabulary have no cell"));
  }
  CATCH_SECTION("fields that go together") {
    const auto report = small(together, {1, 40}, true);
    CATCH_CHECK_THAT(remarks_of(report),
                     Contains("cell type and donor go together (Cramér's V 1.00)"));
    CATCH_CHECK(cramers_v(small(even, {1}).census.pairs[0], 4) < 0.2);
  }
  CATCH_SECTION("values that only validation has") {
    auto report = small(even, {1, 40}, true);
    report.census.held_out = 20;
    report.census.fields[1].held_out = {0, report.census.fields[1].cells[1], 0, 0};
    CATCH_CHECK_THAT(
        remarks_of(report),
        Contains("donor: 20 validation cells have values that training never sees: 'd2'"));
  }
  CATCH_SECTION("what training would refuse") {
    auto report = small(even, {1, 40}, true);
    report.census.faults[Fault::kNegative] = {3, "f.npz", 1, 2};
    CATCH_CHECK(report.refused());
    CATCH_CHECK_THAT(
        text_of(report),
        Contains("REFUSED  a negative value: 3 times; the first at f.npz: row 1, column 2"));
    CATCH_CHECK(json_of(report)["faults"]["a negative value"]["count"] == 3);
  }
}

CATCH_TEST_CASE("data are opened for a report as far as they can be", "[census]") {
  SourceOptions o;
  o.path = TEST_DATA "/data/cells.h5ad";
  const auto opened = open_for_census(o);
  CATCH_REQUIRE(opened.source);
  CATCH_CHECK(opened.refusals.empty());
  CATCH_CHECK(opened.source->vocabulary().fields.size() > 1);
  o.fields = {"cell_tipe"};
  const auto without = open_for_census(o);
  CATCH_REQUIRE(without.source);
  CATCH_CHECK(without.source->vocabulary().fields.empty());
  CATCH_REQUIRE(without.refusals.size() == 1);
  CATCH_CHECK_THAT(without.refusals[0], Contains("did you mean cell_type?"));
  const Scratch scratch;
  o.path = scratch / "none.h5ad";
  CATCH_CHECK_THROWS_AS(open_for_census(o), DataError);
  io::write_text_atomically(o.path, "not HDF5");
  const auto broken = open_for_census(o);
  CATCH_CHECK_FALSE(broken.source);
  CATCH_CHECK(broken.refusals.size() == 1);
}

CATCH_TEST_CASE("a spread knows its ends exactly and its quantiles nearly", "[census]") {
  Spread s, other;
  for (int i = 1; i <= 1000; ++i) (i % 2 ? s : other).add(i);
  s.add(0);
  s.merge(other);
  CATCH_CHECK(s.count() == 1001);
  CATCH_CHECK(s.min() == 0);
  CATCH_CHECK(s.max() == 1000);
  CATCH_CHECK(s.quantile(0.5) == Approx(500).epsilon(0.05));
  CATCH_CHECK(s.quantile(0) == 0);
  const auto bins = s.bins(20);
  CATCH_CHECK(bins.size() <= 20);
  std::int64_t held = 0;
  for (const auto& bin : bins) held += bin.count;
  CATCH_CHECK(held == 1000);
  CATCH_CHECK(Spread().bins(10).empty());
}
