#include "train/forecast.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "train/forecast_report.h"
#include "train/machine_probe.h"

using namespace cellmill;
using train::Machine;
using train::Work;

namespace {

/// 1 GFLOP/s, 0.5 in sparse products, 2 GB/s; links of 1 GB/s and 0.5 GB/s without latency.
Machine slow_machine() {
  Machine m;
  m.float32_gflops = 1;
  m.bfloat16_gflops = 4;
  m.sparse_gflops = 0.5;
  m.memory_gbs = 2;
  m.ranks_per_node = 4;
  m.link_gbs = 1;
  m.node_link_gbs = 0.5;
  m.link_us = m.node_link_us = 0;
  m.disk_gbs = 1;
  m.loader_mentries = 1;
  return m;
}

/// Two forms: one grows with the cells, the other is divided over ranks.
Work two_forms() {
  Work work;
  work.cells = 100;
  work.nonzeros = 10;
  work.bytes_per_cell = 1000;
  work.loader_threads = 2;
  work.forms = [](const models::StepShape& shape) {
    models::StepCost grows, divided;
    grows.flop = 1e7 * shape.cells;
    grows.moved = 1e9;
    grows.resident = 1.5e9 + 1.5e9 / shape.shares;
    grows.summed = shape.ranks > 1 ? 2e8 : 0;
    divided.full_flop = 4e9 / shape.ranks;
    divided.sparse_flop = 1e6 * shape.cells;
    return models::StepForms{{{"grows", grows}, {"divided", divided}}, 0};
  };
  return work;
}

}  // namespace

CATCH_TEST_CASE("the time of a step is its work over the machine's rates", "[forecast]") {
  auto work = two_forms();
  auto forms = train::forecast_step(work, slow_machine(), 1);
  CATCH_CHECK(forms[0].products == Approx(1.0));
  CATCH_CHECK(forms[0].moving == Approx(0.5));
  CATCH_CHECK(forms[0].seconds() == Approx(1.5));
  CATCH_CHECK(forms[0].cells_per_second == Approx(100 / 1.5));
  CATCH_CHECK(forms[0].bound() == "matrix products");
  CATCH_CHECK(forms[0].memory() == 3e9);
  CATCH_CHECK(forms[0].chosen);
  CATCH_CHECK_FALSE(forms[1].chosen);
  CATCH_CHECK(forms[1].seconds() == Approx(4 + 0.2));
  CATCH_CHECK(train::forecast_step(work, slow_machine(), 4)[1].seconds() == Approx(1.2));
  work.precision = "bfloat16";  // what stays in float32 is not faster
  forms = train::forecast_step(work, slow_machine(), 1);
  CATCH_CHECK(forms[0].products == Approx(0.25));
  CATCH_CHECK(forms[0].bound() == "memory bandwidth");
  CATCH_CHECK(forms[1].products == Approx(4));
  work.precision = "tf32";
  auto machine = slow_machine();
  CATCH_CHECK(train::forecast_step(work, machine, 1)[1].products == Approx(4));
  machine.tf32_gflops = 2;
  CATCH_CHECK(train::forecast_step(work, machine, 1)[1].products == Approx(2));
}

CATCH_TEST_CASE("the second form wins from some cells on", "[forecast]") {
  // 0.01 c + 0.5 against 4 + 0.002 c: from 437.5 cells on.
  CATCH_CHECK(train::crossing(two_forms(), slow_machine()) == 438);
  auto machine = slow_machine();
  machine.sparse_gflops = 0.05;
  CATCH_CHECK(train::crossing(two_forms(), machine) == 0);
}

CATCH_TEST_CASE("an all-reduce is a ring over the slowest link", "[forecast]") {
  auto m = slow_machine();
  CATCH_CHECK(train::all_reduce_seconds(m, 2e9, 1) == 0);
  CATCH_CHECK(train::all_reduce_seconds(m, 2e9, 2) == Approx(2));
  CATCH_CHECK(train::all_reduce_seconds(m, 2e9, 4) == Approx(3));
  CATCH_CHECK(train::all_reduce_seconds(m, 2e9, 8) == Approx(7));  // over two nodes
  m.node_link_gbs = 8;
  CATCH_CHECK(train::all_reduce_seconds(m, 2e9, 8) == Approx(3.5));  // then the node binds
  m.link_us = 1e3;
  m.node_link_us = 1e4;
  CATCH_CHECK(train::all_reduce_seconds(m, 0, 4) == Approx(6e-3));
  CATCH_CHECK(train::all_reduce_seconds(m, 0, 8) == Approx(2 * (6 * 1e-3 + 2 * 1e-2)));
  m.ranks_per_node = 1;
  m.node_link_gbs = 8;
  m.link_gbs = 1;
  CATCH_CHECK(train::all_reduce_seconds(m, 8e9, 2) == Approx(1 + 4e-2));
}

CATCH_TEST_CASE("ranks wait for the all-reduce, the loader or the file system", "[forecast]") {
  const auto work = two_forms();
  auto m = slow_machine();
  auto ranks = train::forecast_ranks(work, m, 8);
  CATCH_REQUIRE(ranks.size() == 4);
  CATCH_CHECK(ranks[0].step == Approx(1.5));
  CATCH_CHECK(ranks[1].all_reduce == Approx(0.2));
  CATCH_CHECK(ranks[1].step == Approx(1.7));
  CATCH_CHECK(ranks[1].global_batch == 200);
  CATCH_CHECK(ranks[1].efficiency == Approx(1.5 / 1.7));
  CATCH_CHECK(ranks[3].step == Approx(1.5 + 0.7));
  CATCH_CHECK(train::where_scaling_ends(ranks) ==
              "scaling ends at 4 ranks: 8 ranks are 68 % efficient: 700 of 2.2e+03 ms wait for the "
              "all-reduce");
  m.overlap = 0.5;
  CATCH_CHECK(train::forecast_ranks(work, m, 8)[3].waited == Approx(0.35));
  m.overlap = 1;
  ranks = train::forecast_ranks(work, m, 8);
  CATCH_CHECK(ranks[3].waited == Approx(0));
  CATCH_CHECK(train::where_scaling_ends(ranks) ==
              "scaling does not end up to 8 ranks, which are 100 % efficient");
  m.node_link_gbs = 0.05;  // 7 s, of which backward hides one
  CATCH_CHECK(train::forecast_ranks(work, m, 8)[3].waited == Approx(6));
  CATCH_CHECK(train::forecast_ranks(work, m, 8)[3].bound == "all-reduce");

  m.disk_gbs = 1e-4;  // 100 cells/s for all
  ranks = train::forecast_ranks(work, m, 4);
  CATCH_CHECK(ranks[0].bound == "matrix products");
  CATCH_CHECK(ranks[1].bound == "file system");
  CATCH_CHECK(ranks[1].cells_per_second == Approx(100));
  CATCH_CHECK(train::where_scaling_ends(ranks) ==
              "scaling ends at 1 rank: with 2 ranks the file system binds: 2e+03 ms to read, "
              "1.5e+03 for the step");
  m = slow_machine();
  m.loader_mentries = 1e-4;  // 20 cells/s a rank
  ranks = train::forecast_ranks(work, m, 4);
  CATCH_CHECK(ranks[2].bound == "loader");
  CATCH_CHECK(ranks[2].cells_per_second == Approx(80));
  CATCH_CHECK(ranks[2].efficiency == Approx(1));
}

CATCH_TEST_CASE("sharded, a rank holds less and gathers values after its step", "[forecast]") {
  auto work = two_forms();
  work.shard = true;
  auto m = slow_machine();
  auto ranks = train::forecast_ranks(work, m, 4);
  CATCH_CHECK(ranks[0].memory == 3e9);
  CATCH_CHECK(ranks[2].memory == 1.5e9 + 1.5e9 / 4);
  CATCH_CHECK(ranks[1].all_reduce == Approx(0.2));
  CATCH_CHECK(ranks[1].waited == Approx(0.2));
  m.overlap = 1;  // backward hides whole sums
  ranks = train::forecast_ranks(work, m, 4);
  CATCH_CHECK(ranks[1].all_reduce == Approx(0.3));
  CATCH_CHECK(ranks[1].waited == Approx(0.1));
  m.memory_gb = 2;
  const auto text = train::text_of(train::make_report(m, work, 4));
  CATCH_CHECK(text.find("memory bandwidth; DOES NOT FIT") == std::string::npos);
  CATCH_CHECK(text.find("\n    2          200     2.25") != std::string::npos);
  CATCH_CHECK(text.find("matrix products; DOES NOT FIT in 2 GB\n    4          400     1.88") !=
              std::string::npos);
}

CATCH_TEST_CASE("known machines say where their figures are from", "[forecast]") {
  for (const auto& name : train::known_machine_names()) {
    const auto machine = train::known_machine(name);
    CATCH_CHECK(machine.name == name);
    CATCH_CHECK(machine.source.find("data sheet") != std::string::npos);
    CATCH_CHECK(machine.source.find("assumed") != std::string::npos);
  }
  CATCH_CHECK_THROWS_WITH(train::known_machine("h1oo"), "no machine 'h1oo'");
}

CATCH_TEST_CASE("the report names what does not fit, and epochs of too few steps", "[forecast]") {
  auto machine = slow_machine();
  machine.memory_gb = 2;
  auto report = train::make_report(machine, two_forms(), 4);
  report.model = "model";
  report.data_sets = {36000};
  const auto text = train::text_of(report);
  CATCH_CHECK(text.find("grows *") != std::string::npos);
  CATCH_CHECK(text.find("DOES NOT FIT in 2 GB") != std::string::npos);
  CATCH_CHECK(text.find("divided is predicted to be faster from 438 cells a rank on") !=
              std::string::npos);
  CATCH_CHECK(text.find("from 4 ranks on an epoch of 0.04 M cells is fewer than 100 steps") !=
              std::string::npos);
  const auto json = train::json_of(report);
  CATCH_CHECK(json.at("ranks")[0].at("epochs")[0].at("hours").get<double>() ==
              Approx(36000 / (100 / 1.5) / 3600));
  CATCH_CHECK(json.at("ranks")[2].at("epochs")[0].at("steps") == 90);
  CATCH_CHECK(json.at("forms")[1].at("name") == "divided");
}
