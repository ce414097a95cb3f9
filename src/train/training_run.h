#pragma once
// One run of training on one rank, from opening its data to closing its folder: training_run.cpp
// opens, saves and goes back, training_loop.cpp steps and records. All ranks do the same.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/progress.h"
#include "base/stopwatch.h"
#include "comm/warnings.h"
#include "data/device_feed.h"
#include "train/goodput.h"
#include "train/recorder.h"
#include "train/run_checkpoints.h"
#include "train/run_folder.h"
#include "train/step.h"
#include "train/straggler.h"
#include "train/trainer.h"
#include "train/training_state.h"

namespace cellmill::train {

/// The ranks do not hold the same model.
struct Different : Error {
  explicit Different(const std::string& what)
      : Error(Exit::kInternal, what,
              "a memory, processor or library of that machine is not to be trusted: leave it out "
              "and resume") {}
};

class TrainingRun {
 public:
  TrainingRun(comm::World& world, const RunOptions& options, const std::string& config, Start start,
              const Interfere& interfere);
  Exit run();

 private:
  data::Loader loader(const data::CellFilter& cells, bool shuffle) const;
  void open_folder(Start start);
  bool resume();  ///< is there a checkpoint?
  void open_recorder();
  void close_curves();
  void next_step();
  void step(const data::Batch& batch);
  /// Throws Different, on all ranks alike, if they do not hold the same model.
  void compare();
  void go_back(const Different& different);
  /// What is due after a step: points, end of epoch, evaluation and, last, the checkpoint. A
  /// checkpoint holds all of it or (after a signal) none, so that a resumed run writes each once.
  void settle();
  void record_interval();
  void record_epoch();
  bool evaluate_now();                     ///< is it the best so far?
  enum class Saving { kBehind, kAtOnce };  ///< kBehind: goes on while the checkpoint is written
  void save(Saving saving = Saving::kBehind);
  void finish_saving();
  bool ended_early() const {
    return o_.evaluation.patience > 0 && state_.evaluations_without_gain >= o_.evaluation.patience;
  }
  bool finished() const { return state_.steps >= total_steps_ || ended_early(); }

  comm::World& world_;
  const RunOptions o_;
  const std::string& config_;
  const Interfere& interfere_;
  std::unique_ptr<data::ChunkSource> source_;
  data::Split split_;
  std::unique_ptr<models::Model> model_;
  std::optional<data::DeviceFeed> feed_;
  std::optional<data::Loader> training_, validation_;
  std::optional<Stepper> stepper_;
  std::unique_ptr<RunFolder> folder_;            // rank 0
  std::unique_ptr<Recorder> recorder_;           // rank 0
  std::unique_ptr<RunCheckpoints> checkpoints_;  // rank 0
  std::optional<Progress> progress_;
  comm::SharedWarnings warnings_;
  TrainingState state_;
  std::int64_t total_steps_ = 0;
  std::int64_t first_step_ = 0;  // of this process
  std::int64_t compared_ = -1;   // steps done when ranks were last found alike
  std::int64_t gone_back_to_ = -1;
  bool resumed_ = false;
  bool stop_ = false;
  bool save_asked_ = false;
  Stopwatch since_save_, since_record_;
  StragglerWatch stragglers_;
  OwnTime own_;  // of the step that begins after the last collective of the step before
  Goodput goodput_;
  double cells_trained_ = 0, seconds_trained_ = 0;  // since the last point, by this process
};

}  // namespace cellmill::train
