#pragma once
// What a run will cost before it is started: the time of a step from its counted work and the
// machine's rates, and of many ranks from that, the all-reduce and the reading of cells. Pure
// arithmetic.
//   step      = products / rate + sparse products / rate + bytes moved / copy rate
//   all-reduce = 2 (n - 1) / n * bytes / slowest link + 2 (n - 1) latencies, as a ring
//   n ranks   = max(step + all-reduce not hidden, reading)
// Sharded, a rank holds and updates 1/n of the moments; the second half of the ring gathers values
// after the update, where nothing hides it (and sums that backward hides are whole ones).
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "models/step_cost.h"
#include "train/machine.h"

namespace cellmill::train {

/// The same for every rank.
struct Work {
  double cells = 0;           ///< a step and rank
  double nonzeros = 0;        ///< stored entries a cell
  double bytes_per_cell = 0;  ///< on disk
  std::int64_t loader_threads = 1;
  std::string precision = "float32";
  bool shard = false;  ///< the optimiser over the ranks
  std::function<models::StepForms(const models::StepShape&)> forms;
};

struct StepForecast {
  std::string form;
  models::StepCost cost;
  double products = 0, sparse = 0, moving = 0;  ///< seconds
  double cells_per_second = 0;
  bool chosen = false;
  double seconds() const { return products + sparse + moving; }
  std::string bound() const;  ///< "matrix products", "sparse products" or "memory bandwidth"
  double memory() const { return cost.resident + cost.working; }
};

/// Every form on one of `ranks` ranks.
std::vector<StepForecast> forecast_step(const Work& work, const Machine& machine, double ranks);

/// Cells that one rank's loader delivers a second, and that the file system delivers to all.
double loader_rate(const Work& work, const Machine& machine);
double disk_rate(const Work& work, const Machine& machine);

/// Seconds that summing `bytes` over `ranks` takes.
double all_reduce_seconds(const Machine& machine, double bytes, double ranks);

/// The fewest cells a rank with which the second form is faster than the first; 0: not up to 2^20.
double crossing(const Work& work, const Machine& machine);

struct RanksForecast {
  double ranks = 1, global_batch = 0;
  double memory = 0;                                            ///< bytes that a rank holds
  double compute = 0, all_reduce = 0, waited = 0, reading = 0;  ///< seconds; of the all-reduce
  double step = 0;                                              ///< `waited` is not hidden
  double cells_per_second = 0;
  double efficiency = 1;  ///< cells/s over ranks times those of one
  std::string bound;
};

/// In the chosen form; its `efficiency` is left at 1.
RanksForecast forecast_at(const Work& work, const Machine& machine, double ranks);

/// 1, 2, 4, ... up to `most` ranks in the chosen form, the cells a rank staying the same.
std::vector<RanksForecast> forecast_ranks(const Work& work, const Machine& machine, double most);

/// Where it stops to pay, in a sentence: less than 70 % efficient, or waiting for the file system.
std::string where_scaling_ends(const std::vector<RanksForecast>& ranks);

}  // namespace cellmill::train
