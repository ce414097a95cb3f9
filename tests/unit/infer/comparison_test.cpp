#include "infer/comparison.h"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>

namespace cellmill::infer {
namespace {

constexpr std::int64_t kGenes = 6;

// Cells of two types; the wanted context adds 2 to gene `type` and 1 to gene 5, exactly.
struct Planted {
  data::Batch batch;
  CellRoles roles;
  at::Tensor dense;
};

Planted planted(std::int64_t cells) {
  Planted p;
  p.dense = at::zeros({cells, kGenes}, at::kFloat);
  for (std::int64_t i = 0; i < cells; ++i) {
    const std::int64_t type = i % 2;
    const bool wanted = (i / 2) % 2;
    p.roles.role.push_back(wanted ? Role::kWanted : Role::kSource);
    p.roles.type.push_back(type);
    p.dense[i][3] = static_cast<float>(1 + type);
    if (wanted) {
      p.dense[i][type] += 2;
      p.dense[i][5] += 1;
    }
  }
  const at::Tensor csr = p.dense.to_sparse_csr();
  p.batch = {csr.crow_indices(), csr.col_indices(), csr.values(), {}, at::arange(cells, at::kLong)};
  p.batch.genes = kGenes;
  return p;
}

at::Tensor perfect(const Planted& p) {
  at::Tensor generated = p.dense.clone();
  for (std::size_t i = 0; i < p.roles.role.size(); ++i)
    if (p.roles.role[i] == Role::kSource) {
      generated[static_cast<std::int64_t>(i)][p.roles.type[i]] += 2;
      generated[static_cast<std::int64_t>(i)][5] += 1;
    }
  return generated;
}

double err(const ScoredGroup& group, const std::string& name) {
  for (const ScoredRow& row : group.rows)
    if (row.name == name) return row.scores.err;
  return -1;
}

}  // namespace

CATCH_TEST_CASE("a planted shift is found by the model and by the baselines that can hold it") {
  const Planted p = planted(400);
  Comparison comparison(false);
  comparison.add(p.batch, p.roles, perfect(p));
  const ComparisonReport report = comparison.report({"T0", "T1"}, "model");
  CATCH_REQUIRE(report.groups.size() == 4);
  CATCH_CHECK(report.groups[0].name == "all");
  CATCH_CHECK(report.groups[1].name == "mean over types");
  CATCH_CHECK(report.groups[2].name == "T0");
  const ScoredGroup& type = report.groups[2];
  CATCH_CHECK(err(type, "model") == Approx(0).margin(1e-9));
  CATCH_CHECK(err(type, "no change") == Approx(1));
  CATCH_CHECK(err(type, "per-type shift") == Approx(0).margin(1e-9));
  CATCH_CHECK(err(type, "mean of real cells") == Approx(0).margin(1e-9));
  CATCH_CHECK(err(type, "ridge shift") < 0.1);
  // the pooled shift is about (1, 1, .., 1) where the truth is (2, 0, .., 1): 2 of 5
  CATCH_CHECK(err(type, "additive shift, adjusted") == Approx(0.4).margin(0.05));
  CATCH_CHECK(type.source_cells > 30);
  CATCH_CHECK(type.source_cells < 70);
  CATCH_CHECK(err(report.groups[1], "no change") == Approx(1));
}

CATCH_TEST_CASE("with a reference every source cell of the input is scored") {
  Planted input = planted(200);
  for (Role& role : input.roles.role)
    if (role == Role::kWanted) role = Role::kNone;
  Comparison comparison(true);
  comparison.add(input.batch, input.roles, perfect(input));
  const Planted reference = planted(400);
  comparison.add_reference(reference.batch, reference.roles);
  const ComparisonReport report = comparison.report({"T0", "T1"}, "model");
  CATCH_CHECK(report.groups[0].source_cells == 100);
  CATCH_CHECK(err(report.groups[2], "model") == Approx(0).margin(1e-9));
  CATCH_CHECK(err(report.groups[2], "per-type shift") == Approx(0).margin(1e-9));
}

CATCH_TEST_CASE("too few real cells are said, not scored") {
  const Planted p = planted(40);
  Comparison comparison(false);
  comparison.add(p.batch, p.roles, perfect(p));
  const ComparisonReport report = comparison.report({"T0", "T1"}, "model");
  CATCH_CHECK(report.groups.empty());
  CATCH_CHECK(report.why_empty.find("at least 20 of each are needed") != std::string::npos);
}

}  // namespace cellmill::infer
