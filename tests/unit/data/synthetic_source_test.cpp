#include "data/sources/synthetic_source.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>

#include "../../suites/chunk_source_suite.h"
#include "base/error.h"

using namespace cellmill;
using namespace cellmill::data;

namespace {

SourceOptions small() {
  SourceOptions options;
  options.format = "synthetic";
  options.synthetic_cells = 500;
  options.synthetic_genes = 60;
  options.chunk_cells = 64;
  return options;
}

double correlation(const std::vector<float>& a, const std::vector<float>& b) {
  const double n = a.size();
  const double ma = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mb = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace

CATCH_TEST_CASE("synthetic cells keep the promises of a source", "[synthetic]") {
  auto options = small();
  options.synthetic_missing = 0.2;
  const auto source = open_source(options);
  check_source(*source);
  CATCH_CHECK(source->index().size() == 8);
  CATCH_CHECK(source->index().back().rows == 500 - 7 * 64);
}

CATCH_TEST_CASE("a synthetic cell depends on seed and number, not on its chunk", "[synthetic]") {
  auto options = small();
  const Chunk all = [&] {
    auto whole = options;
    whole.chunk_cells = 500;
    return SyntheticSource(whole).load(0);
  }();
  const Chunk third = SyntheticSource(options).load(2);
  for (std::int64_t r = 0; r < third.rows; ++r) {
    const auto a = third.indptr[r], b = third.indptr[r + 1], at = all.indptr[128 + r];
    CATCH_REQUIRE(all.indptr[128 + r + 1] - at == b - a);
    CATCH_REQUIRE(
        std::equal(third.values.begin() + a, third.values.begin() + b, all.values.begin() + at));
    CATCH_REQUIRE(std::equal(third.labels.begin() + r * 2, third.labels.begin() + r * 2 + 2,
                             all.labels.begin() + (128 + r) * 2));
  }
  options.synthetic_seed = 2;
  CATCH_CHECK_FALSE(same(SyntheticSource(options).load(2), third));
}

CATCH_TEST_CASE("values are log1p of counts per 10,000, at about the density asked for",
                "[synthetic]") {
  auto options = small();
  options.synthetic_genes = 400;
  options.synthetic_density = 0.2;
  options.chunk_cells = 500;
  const Chunk chunk = SyntheticSource(options).load(0);
  CATCH_CHECK(static_cast<double>(chunk.values.size()) / (500 * 400) == Approx(0.2).epsilon(0.15));
  for (std::int64_t r = 0; r < chunk.rows; ++r) {
    double total = 0;
    for (auto k = chunk.indptr[r]; k < chunk.indptr[r + 1]; ++k)
      total += std::expm1(chunk.values[k]);
    CATCH_REQUIRE(total == Approx(1e4).epsilon(1e-4));
  }
}

CATCH_TEST_CASE("labels are left out at the rate asked for, effects are not", "[synthetic]") {
  auto options = small();
  options.synthetic_missing = 0.25;
  const SyntheticSource some(options);
  options.synthetic_missing = 0;
  const SyntheticSource none(options);
  int missing = 0, cells = 0;
  for (const ChunkInfo& info : some.index()) {
    const Chunk a = some.load(info.id), b = none.load(info.id);
    CATCH_CHECK(a.values == b.values);
    for (std::size_t i = 0; i < a.labels.size(); ++i, ++cells) {
      missing += a.labels[i] == kMissing;
      CATCH_CHECK((a.labels[i] == kMissing || a.labels[i] == b.labels[i]));
      CATCH_CHECK(b.labels[i] == some.planted_codes(info.first_cell + i / 2)[i % 2]);
    }
  }
  CATCH_CHECK(std::abs(missing - 250) < 70);  // five standard deviations of 1000 draws
}

CATCH_TEST_CASE("the planted mean is what cells of those categories average to", "[synthetic]") {
  auto options = small();
  options.synthetic_cells = 12000;
  options.synthetic_genes = 100;
  options.chunk_cells = 2000;
  options.synthetic_density = 0.3;
  options.synthetic_categories = {2, 2};
  const SyntheticSource source(options);
  std::map<std::vector<std::int32_t>, std::pair<std::vector<float>, int>> mean;
  for (const ChunkInfo& info : source.index()) {
    const Chunk chunk = source.load(info.id);
    for (std::int64_t r = 0; r < chunk.rows; ++r) {
      auto& [sum, n] = mean[{chunk.labels[r * 2], chunk.labels[r * 2 + 1]}];
      sum.resize(100);
      ++n;
      for (auto k = chunk.indptr[r]; k < chunk.indptr[r + 1]; ++k)
        sum[chunk.indices[k]] += chunk.values[k];
    }
  }
  CATCH_REQUIRE(mean.size() == 4);
  for (auto& [codes, seen] : mean) {
    for (float& x : seen.first) x /= static_cast<float>(seen.second);
    const auto expected = source.expected_expression(codes);
    double worst = 0;
    for (std::size_t g = 0; g < 100; ++g)
      worst = std::max<double>(worst, std::abs(expected[g] - seen.first[g]));
    CATCH_INFO("worst gene: " << worst);
    CATCH_CHECK(worst < 0.35);
    CATCH_CHECK(correlation(expected, seen.first) > 0.998);
  }
  std::vector<float> planted(100), shift(100);
  const auto from = source.expected_expression({0, 0}), to = source.expected_expression({1, 0});
  for (std::size_t g = 0; g < 100; ++g) {
    planted[g] = to[g] - from[g];
    shift[g] = mean[{1, 0}].first[g] - mean[{0, 0}].first[g];
  }
  CATCH_CHECK(correlation(planted, shift) > 0.97);
}

CATCH_TEST_CASE("fields select and order the labels", "[synthetic]") {
  auto options = small();
  options.fields = {"tissue", "cell_type"};
  const SyntheticSource turned(options);
  CATCH_CHECK(turned.vocabulary().fields[0].name == "tissue");
  CATCH_CHECK(turned.vocabulary().fields[0].categories.size() == 5);
  CATCH_CHECK(turned.load(1).labels[0] == turned.planted_codes(64)[1]);
  options.fields = {"tisue"};
  try {
    SyntheticSource{options};
    CATCH_FAIL("not refused");
  } catch (const UsageError& error) {
    CATCH_CHECK(error.text() ==
                "the synthetic data have no field 'tisue'\n  hint: did you mean tissue?");
    CATCH_CHECK(error.code() == Exit::kConfig);
  }
}

CATCH_TEST_CASE("synthetic sizes that cannot be are refused", "[synthetic]") {
  auto options = small();
  options.synthetic_genes = 1;
  CATCH_CHECK_THROWS_WITH(SyntheticSource(options),
                          "synthetic data: synthetic_genes must be at least 2");
  CATCH_CHECK_THROWS_WITH(SyntheticSource(small()).expected_expression({0}),
                          "synthetic data: expected_expression takes one code a planted field");
}

CATCH_TEST_CASE("fields have the names asked for, and held-out combinations no cell",
                "[synthetic]") {
  auto o = small();
  o.synthetic_cells = 3000;
  o.synthetic_categories = {3, 2, 4};
  o.synthetic_fields = {"cell_type", "perturbation", "lab"};
  const SyntheticSource all(o);
  o.synthetic_held_out = {"cell_type_1+perturbation_1", "lab_3+cell_type_0"};
  const SyntheticSource source(o);
  CATCH_CHECK(source.vocabulary().fields[1] ==
              Field{"perturbation", {"perturbation_0", "perturbation_1"}});
  std::int64_t out = 0;
  for (std::int64_t cell = 0; cell < o.synthetic_cells; ++cell) {
    const auto codes = source.planted_codes(cell), before = all.planted_codes(cell);
    const bool held = (before[0] == 1 && before[1] == 1) || (before[2] == 3 && before[0] == 0);
    CATCH_CHECK((codes[0] == 1 && codes[1] == 1) == false);
    CATCH_CHECK((codes[2] == 3 && codes[0] == 0) == false);
    if (!held) CATCH_CHECK(codes == before);
    out += held;
  }
  CATCH_CHECK(out > 300);

  o.synthetic_held_out = {"cell_type_1+perturbation_9"};
  CATCH_CHECK_THROWS_WITH(SyntheticSource(o), "synthetic_held_out: no category 'perturbation_9'");
  o.synthetic_held_out = {};
  o.synthetic_fields = {"cell_type", "lab"};
  CATCH_CHECK_THROWS_WITH(SyntheticSource(o), Catch::Contains("as many fields"));
}

CATCH_TEST_CASE("synthetic counts are those that the logarithms are of", "[synthetic]") {
  auto o = small();
  const auto logs = SyntheticSource(o).load(1);
  o.synthetic_counts = true;
  const auto counts = SyntheticSource(o).load(1);
  CATCH_REQUIRE(counts.indices == logs.indices);
  for (std::int64_t row = 0; row < counts.rows; ++row) {
    double sum = 0;
    for (auto k = counts.indptr[row]; k < counts.indptr[row + 1]; ++k) sum += counts.values[k];
    for (auto k = counts.indptr[row]; k < counts.indptr[row + 1]; ++k) {
      CATCH_CHECK(counts.values[k] == std::round(counts.values[k]));
      CATCH_CHECK(logs.values[k] == Approx(std::log1p(1e4 * counts.values[k] / sum)));
    }
  }
}
