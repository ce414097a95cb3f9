#include "train/machine.h"

#include "base/error.h"
#include "base/nearest.h"
#include "config/schema.h"

namespace cellmill::train {
namespace {

// 4 bytes gathered a multiply-add at the rate of a copy, where no kernel was measured.
Machine gpu(const std::string& name, double float32, double tf32, double bfloat16, double memory,
            double link, double node_link, const std::string& source) {
  Machine m;
  m.name = name;
  m.source = source;
  m.device = "cuda";
  m.float32_gflops = float32;
  m.tf32_gflops = tf32;
  m.bfloat16_gflops = bfloat16;
  m.memory_gbs = memory;
  m.sparse_gflops = memory / 2;
  m.memory_gb = 80;
  m.ranks_per_node = 8;
  m.link_gbs = link;
  m.link_us = 5;
  m.node_link_gbs = node_link;
  m.node_link_us = 15;
  m.overlap = 0.8;
  m.disk_gbs = 20;
  return m;
}

std::vector<Machine> known() {
  const std::string rest =
      "; links: data sheet of the DGX, 0.8 of it, all 8 adapters of a node; assumed: file system, "
      "latencies, 0.8 of the all-reduce hidden, sparse products, a loader thread as in "
      "benchmarks/README.md, micro/row_code";
  return {gpu("a100", 10000, 78000, 156000, 1800, 240, 160,
              "products: half of the A100 SXM data sheet's 19.5, 156 and 312 TFLOP/s; copy: 0.9 of "
              "its 2,039 GB/s" +
                  rest),
          gpu("h100", 33000, 200000, 400000, 3000, 360, 320,
              "products: half of 798 TFLOP/s measured in bfloat16, of the H100 SXM data sheet's 67 "
              "in float32, 0.4 of its 494 in TF32; copy: 3.0 TB/s measured" +
                  rest)};
}

}  // namespace

void describe(config::Schema& s, Machine& m) {
  using config::not_negative;
  using config::positive;
  s.field("name", m.name, "how it is called");
  s.field("source", m.source, "where the figures are from");
  s.field("device", m.device, "where steps are computed", config::one_of({"cpu", "cuda"}));
  s.field("float32_gflops", m.float32_gflops, "matrix products of a rank, GFLOP/s", positive());
  s.field("tf32_gflops", m.tf32_gflops, "the same in TF32; 0: as float32", not_negative());
  s.field("bfloat16_gflops", m.bfloat16_gflops, "the same in bfloat16", positive());
  s.field("gram_gflops", m.gram_gflops,
          "products of weights with weights, float32; 0: as float32_gflops", not_negative());
  s.field("sparse_gflops", m.sparse_gflops, "products with sparse cells, GFLOP/s", positive());
  s.field("memory_gbs", m.memory_gbs, "copy in a rank's memory, GB/s read and written", positive());
  s.field("memory_gb", m.memory_gb, "memory of a rank, GB; 0: not known", not_negative());
  s.field("ranks_per_node", m.ranks_per_node, "ranks that share a node", config::at_least(1));
  s.field("link_gbs", m.link_gbs, "a ring over the ranks of a node, GB/s each way", positive());
  s.field("link_us", m.link_us, "latency between ranks of a node, microseconds", not_negative());
  s.field("node_link_gbs", m.node_link_gbs, "a node's adapters together, GB/s each way",
          positive());
  s.field("node_link_us", m.node_link_us, "latency between nodes, microseconds", not_negative());
  s.field("overlap", m.overlap, "share of the all-reduce that backward hides", config::fraction());
  s.field("disk_gbs", m.disk_gbs, "file system, for all ranks together, GB/s", positive());
  s.field("loader_mentries", m.loader_mentries,
          "million stored entries that a loader thread delivers a second", positive());
}

std::vector<std::string> known_machine_names() {
  std::vector<std::string> names;
  for (const auto& machine : known()) names.push_back(machine.name);
  return names;
}

Machine known_machine(const std::string& name) {
  for (auto& machine : known())
    if (machine.name == name) return machine;
  auto names = known_machine_names();
  names.push_back("this");
  throw UsageError("no machine '" + name + "'",
                   did_you_mean(name, names) + "; your own: a file NAME.yaml");
}

}  // namespace cellmill::train
