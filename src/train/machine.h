#pragma once
// A machine as a training step sees it: rates that a rank reaches (not peaks), how ranks are
// joined, how fast cells come. Known ones carry where their figures are from; a user's own is a
// YAML file of these settings; `train/machine_probe.h` measures the one that it runs on.
#include <cstdint>
#include <string>
#include <vector>

namespace cellmill::config {
class Schema;
}

namespace cellmill::train {

struct Machine {
  std::string name = "machine";
  std::string source;          ///< where the figures are from
  std::string device = "cpu";  ///< cpu | cuda
  double float32_gflops = 100, tf32_gflops = 0, bfloat16_gflops = 100;  ///< 0: as float32
  double gram_gflops = 0;     ///< of weights with weights, float32; 0: as float32
  double sparse_gflops = 25;  ///< of products with sparse cells
  double memory_gbs = 40;     ///< copied, read and written
  double memory_gb = 0;       ///< of a rank; 0: not known
  std::int64_t ranks_per_node = 1;
  double link_gbs = 1, link_us = 20;            ///< between ranks of a node
  double node_link_gbs = 1, node_link_us = 30;  ///< between nodes, all adapters of one together
  double overlap = 0;                           ///< share of the all-reduce that backward hides
  double disk_gbs = 1;
  double loader_mentries = 560;  ///< million stored entries that a loader thread delivers a second
};
void describe(config::Schema& schema, Machine& machine);

std::vector<std::string> known_machine_names();
/// Throws UsageError (64), naming the nearest.
Machine known_machine(const std::string& name);

}  // namespace cellmill::train
