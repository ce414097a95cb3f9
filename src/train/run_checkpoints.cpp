#include "train/run_checkpoints.h"

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "checkpoint/folder.h"
#include "io/files.h"
#include "io/sealed.h"
#include "train/run_folder.h"

namespace cellmill::train {

namespace fs = std::filesystem;

RunCheckpoints::RunCheckpoints(const fs::path& run, const RunOptions& options,
                               std::function<void()> before)
    : folder_(checkpoints_of(run)),
      keep_(options.checkpoint),
      score_(options.evaluation.score),
      writer_(folder_, std::move(before)) {}

void RunCheckpoints::save(const TrainingState& progress, checkpoint::State state) {
  writer_.save(progress.steps, std::move(state), bookkeeping(progress));
}

void RunCheckpoints::prove(const TrainingState& progress, const checkpoint::State& state) {
  writer_.save_now(progress.steps, state, bookkeeping(progress));
  say_room(progress.steps);
}

std::function<void()> RunCheckpoints::bookkeeping(const TrainingState& progress) {
  const std::string text = io::sealed_json(
      fmt::format("{{\"step\": {}, \"{}\": {}}}", progress.best_step, score_, progress.best));
  return [this, text, step = progress.steps, best = progress.best_step] {
    if (best >= 0 && fs::exists(checkpoint::place_of(folder_, best))) {
      io::write_text_atomically(folder_ / "best.json", text + "\n");
      marked_best_ = best;
    }
    try {
      checkpoint::prune(folder_, step,
                        {keep_.keep_last, keep_.keep_every_steps, {best, marked_best_}});
    } catch (const DataError& e) {
      log::warn("old checkpoints are still there: {}", e.text());
    }
  };
}

void RunCheckpoints::say_room(std::int64_t step) const {
  std::error_code ignored;
  const auto bytes = fs::file_size(checkpoint::place_of(folder_, step) / "state.h5", ignored);
  if (ignored) return;
  const auto free = io::free_bytes(folder_);
  const auto needed = bytes * static_cast<std::uintmax_t>(keep_.keep_last + 2);
  if (free < needed)
    log::warn("{} has {} bytes free; the checkpoints of this run will need {}: {} each",
              folder_.string(), free, needed, bytes);
}

}  // namespace cellmill::train
