#pragma once
// A run's checkpoints, as rank 0 keeps them: written behind the loop's back, then best.json marks
// the best one and those that `checkpoint.keep_*` does not name are deleted.
#include <atomic>
#include <filesystem>
#include <functional>
#include <string>

#include "checkpoint/writer.h"
#include "train/run_options.h"
#include "train/training_state.h"

namespace cellmill::train {

class RunCheckpoints {
 public:
  /// `before` runs ahead of every attempt to save, as a part of it.
  RunCheckpoints(const std::filesystem::path& run, const RunOptions& options,
                 std::function<void()> before);
  checkpoint::Writer& writer() { return writer_; }
  /// The loop goes on while it is written.
  void save(const TrainingState& progress, checkpoint::State state);
  /// The first one, in the caller's thread: throws what stands in its way, and warns if the disk
  /// has no room for those that will be kept.
  void prove(const TrainingState& progress, const checkpoint::State& state);
  /// After a resume: what a killed run did not come to.
  void catch_up(const TrainingState& progress) { bookkeeping(progress)(); }

 private:
  /// What belongs to a checkpoint that stands.
  std::function<void()> bookkeeping(const TrainingState& progress);
  void say_room(std::int64_t step) const;

  std::filesystem::path folder_;
  CheckpointOptions keep_;
  std::string score_;
  std::atomic<std::int64_t> marked_best_ = -1;  // step in best.json
  checkpoint::Writer writer_;                   // last: its thread uses the rest
};

}  // namespace cellmill::train
