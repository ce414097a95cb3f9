#pragma once
// A run gone through without starting it: are the data there and readable, does the model take
// them, is the output folder ours, does everything fit, and how long will it take? Trains nothing,
// and nothing stays behind. Collective; the findings are the same on every rank.
#include <memory>

#include "comm/world.h"
#include "data/chunk_source.h"
#include "train/forecast.h"
#include "train/readiness.h"
#include "train/run_options.h"
#include "train/trainer.h"

namespace cellmill::train {

struct RehearsedData {
  std::unique_ptr<data::ChunkSource> source;  ///< null: the data cannot be used
  std::int64_t training = 0, validation = 0;  ///< cells
  std::int64_t epoch_steps = 0, steps = 0;    ///< of an epoch, of the run
};

/// Do the settings go together, on this number of ranks and, here, on its device? Sets this
/// rank's threads, as training does.
enum class Where { kHere, kElsewhere };
void rehearse_settings(comm::World& world, const RunOptions& options, Where where,
                       Findings& findings);

/// Opens the data, splits them, and reads each rank's part of the first batches.
RehearsedData rehearse_data(comm::World& world, const RunOptions& options, Findings& findings);

/// A small model is made and scores some validation cells, so that settings which do not suit the
/// data are found; a large one is left alone.
void rehearse_model(comm::World& world, const RunOptions& options, const RehearsedData& data,
                    double parameters, Findings& findings);

/// Memory of a rank, time of the run on so many ranks.
void rehearse_step(const RunOptions& options, const RehearsedData& data, const Machine& machine,
                   const Work& work, double ranks, Findings& findings);

/// Is the run folder ours, and is there room for the checkpoints? `config` as for RunFolder.
void rehearse_folder(comm::World& world, const RunOptions& options, const std::string& config,
                     Start start, std::int64_t steps, double parameters, Findings& findings);

}  // namespace cellmill::train
