#pragma once
// The machine that the program runs on, measured in a few seconds at the shapes of a run: products
// and copies by every rank at once, the all-reduce, the loader over the run's cells, the disk where
// a file is large enough. What could not be measured keeps a cautious guess; `source` says which.
#include "comm/world.h"
#include "data/chunk_source.h"
#include "data/loader.h"
#include "models/step_rates.h"
#include "train/machine.h"

namespace cellmill::train {

struct ProbePlan {
  models::RateShape shape;
  double summed_bytes = 0;  ///< of a step
  const data::ChunkSource* source = nullptr;
  data::SourceOptions source_options;
  data::LoaderOptions loader;
  std::int64_t batch = 512;  ///< cells a rank
};

/// Collective; the slowest rank's figures, the same on all.
Machine measure_machine(comm::World& world, const ProbePlan& plan);

}  // namespace cellmill::train
