#pragma once
// A report on the data of a run file, made by all ranks together.
#include "app/command.h"
#include "data/census_report.h"
#include "train/run_options.h"

namespace cellmill::app {

/// Collective; the same on every rank. Throws where there is nothing to report on: no such file
/// (66), bad settings (78).
data::CensusReport report_on(comm::World& world, const train::DataOptions& options,
                             std::int64_t threads);

}  // namespace cellmill::app
