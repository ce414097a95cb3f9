#pragma once
// Everything a training run is told: the run file, as structs. The batch named here is the global
// one, over all ranks.
#include <cstdint>
#include <string>

#include "comm/watchdog.h"
#include "data/chunk_source.h"
#include "data/loader.h"
#include "data/split.h"
#include "models/model_table.h"

namespace cellmill::train {

struct DataOptions {
  data::SourceOptions source;  ///< its fields stand directly under `data:`
  data::SplitOptions split;
  data::LoaderOptions loader;
};

struct LoopOptions {
  std::int64_t global_batch = 128;
  std::int64_t epochs = 40;
  std::int64_t max_steps = 0;       ///< 0: as many as the epochs have
  std::string schedule = "cosine";  ///< constant | linear | cosine (to 0 over all steps)
  std::int64_t warmup_steps = 0;    ///< learning rates rise linearly over these
  std::string precision =
      "float32";                ///< float32 | tf32 | bfloat16 (matrix products) | float64 (tests)
  std::string device = "auto";  ///< auto | cpu | cuda
  std::uint64_t seed = 0;
  std::int64_t cells_at_once = 0;                 ///< a rank takes more in pieces; 0: any number
  std::string deterministic = "same_world_size";  ///< same_world_size | across_world_sizes
  std::int64_t micro_shards = 12;                 ///< of the global batch, across world sizes
  std::int64_t threads = 0;  ///< a rank's; 0: the machine's cores shared out; 1 across world sizes
  bool across_world_sizes() const { return deterministic == "across_world_sizes"; }
};

struct ReplicaOptions {
  std::int64_t compare_every_steps = 200;  ///< 0: before checkpoints alone
  std::string when_different = "go_back";  ///< go_back (to the last checkpoint) | stop
};

struct OptimizerOptions {
  bool shard = false;            ///< a rank keeps the moments of its share of the parameters alone
  std::string overlap = "auto";  ///< auto (on CUDA) | on | off
};

struct EvaluationOptions {
  std::int64_t every_steps = 0;  ///< 0: at the end of every epoch
  std::string score = "auto";    ///< auto: the model's own
  bool higher_is_better = false;
  std::int64_t patience = 0;  ///< evaluations without gain before the run ends; 0 is off
};

struct CheckpointOptions {
  std::int64_t every_steps = 0;  ///< 0: at the end of every epoch
  double every_minutes = 30;
  std::int64_t keep_last = 3;         ///< and the best one
  std::int64_t keep_every_steps = 0;  ///< and those at multiples of it; 0: none
};

struct OutputOptions {
  std::string folder = "runs/run";
  std::int64_t log_every_steps = 10;
};

struct RunOptions {
  DataOptions data;
  models::ModelOptions model;
  LoopOptions train;
  ReplicaOptions replicas;
  OptimizerOptions optimizer;
  EvaluationOptions evaluation;
  CheckpointOptions checkpoint;
  comm::WatchdogOptions watchdog;
  OutputOptions output;
};
void describe(config::Schema& schema, RunOptions& options);
/// The options with what the model decides: its score, and whether it takes counts.
RunOptions settled(RunOptions options);

}  // namespace cellmill::train
