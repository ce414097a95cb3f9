#include "train/trainer.h"

#include <ATen/ATen.h>

#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/stopwatch.h"
#include "data/device_feed.h"
#include "io/files.h"
#include "train/evaluate.h"
#include "train/goodput.h"
#include "train/recorder.h"
#include "train/run_checkpoints.h"
#include "train/run_folder.h"
#include "train/schedule.h"
#include "train/step.h"
#include "train/training_state.h"

namespace cellmill::train {
namespace {

namespace fs = std::filesystem;

at::ScalarType dtype_of(const LoopOptions& o) {
  return o.precision == "float64" ? at::kDouble : at::kFloat;
}

class Trainer {
 public:
  Trainer(comm::World& world, const RunOptions& options, const std::string& config, Start start);
  Exit run();

 private:
  data::Loader loader(const data::CellFilter& cells, bool shuffle) const;
  void open_folder(Start start);
  bool resume();  ///< is there a checkpoint?
  void survey();
  void step(const data::Batch& batch);
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
  const RunOptions& o_;
  const std::string& config_;
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
  TrainingState state_;
  std::int64_t total_steps_ = 0;
  bool resumed_ = false;
  bool stop_ = false;
  bool save_asked_ = false;
  Stopwatch since_save_, since_record_;
  Goodput goodput_;
  double cells_trained_ = 0, seconds_trained_ = 0;  // since the last point, by this process
};

Trainer::Trainer(comm::World& world, const RunOptions& options, const std::string& config,
                 Start start)
    : world_(world), o_(options), config_(config) {
  comm::set_phase("opening data");
  comm::agree(*world.host_world, [&] {
    source_ = data::open_source(o_.data.source);
    split_ = data::make_split(source_->index(), o_.data.split);
  });
  comm::set_phase("building the model");
  const auto device = choose_device(world, o_.train.device);
  comm::agree(*world.host_world, [&] {
    model_ = models::make_model(o_.model, source_->vocabulary(), o_.train.seed, dtype_of(o_.train));
    model_->to(device);
    feed_.emplace(device);
    training_.emplace(loader(split_.train, true));
    validation_.emplace(loader(split_.validation, false));
  });
  StepOptions stepping;
  stepping.precision = precision_of(o_.train.precision);
  const auto& overlap = o_.optimizer.overlap;
  stepping.overlap = overlap == "on" || (overlap == "auto" && device.is_cuda());
  stepping.shard = o_.optimizer.shard;
  stepper_.emplace(*model_, world.tensors(), o_.train.seed, stepping);
  const auto epoch_steps = training_->plan().steps();
  total_steps_ = o_.train.epochs * epoch_steps;
  if (o_.train.max_steps > 0) total_steps_ = std::min(total_steps_, o_.train.max_steps);
  open_folder(start);
  resumed_ = start == Start::kResume && resume();
  if (!resumed_) survey();
  if (world_.rank == 0) {
    const bool settled = state_.steps > 0 && state_.settled == state_.steps;
    recorder_ = std::make_unique<Recorder>(folder_->path(), state_.steps + (settled ? 1 : 0));
  }

  std::int64_t parameters = 0;
  for (const auto& group : model_->groups()) {
    for (const auto& p : group.parameters) parameters += p.value.numel();
  }
  log::info("{} cells to train on, {} to validate, {} genes, {} fields; {} parameters on {}",
            training_->plan().cells(), validation_->plan().cells(),
            source_->vocabulary().genes.size(), source_->vocabulary().fields.size(), parameters,
            device.str());
  log::info("global batch {} over {} rank{} (about {} each), {} steps an epoch, {} steps in all",
            o_.train.global_batch, world_.size, world_.size > 1 ? "s" : "",
            o_.train.global_batch / world_.size, epoch_steps, total_steps_);
}

data::Loader Trainer::loader(const data::CellFilter& cells, bool shuffle) const {
  auto plan = data::plan_options(o_.data.loader, o_.train.global_batch, o_.train.seed);
  plan.shuffle = shuffle;
  return {*source_, &cells, plan, o_.data.loader, {world_.rank, world_.size}};
}

void Trainer::open_folder(Start start) {
  comm::set_phase("opening the run folder");
  comm::agree(*world_.host_world, [&] {
    if (world_.rank == 0) {
      folder_ = std::make_unique<RunFolder>(o_.output.folder, config_, start == Start::kResume);
      checkpoints_ =
          std::make_unique<RunCheckpoints>(folder_->path(), o_, [this] { recorder_->flush(); });
    }
  });
  comm::set_failure_folder(o_.output.folder);
  log::also_to(
      (fs::path(o_.output.folder) / "log" / ("rank-" + std::to_string(world_.rank) + ".log"))
          .string());
}

bool Trainer::resume() {
  comm::set_phase("loading the checkpoint");
  std::string path;
  comm::agree(*world_.host_world, [&] {
    if (world_.rank != 0) return;
    std::vector<std::string> passed_over;
    const auto newest = checkpoint::newest_valid(checkpoints_of(folder_->path()), passed_over);
    for (const auto& why : passed_over) log::warn("passed over: {}", why);
    if (newest) path = newest->path.string();
  });
  path = world_.host_world->broadcast_text(path, 0);
  if (path.empty()) {
    log::info("no checkpoint to resume from: starting at step 0");
    return false;
  }
  comm::agree(*world_.host_world, [&] {
    state_ = from_checkpoint(checkpoint::load(path), path, *model_, stepper_->optimisers(),
                             source_->vocabulary());
    training_->seek(state_.position);
    stepper_->start_at(state_.steps);
    if (checkpoints_) checkpoints_->catch_up(state_);
  });
  log::info("resuming from {}: step {}, epoch {}", path, state_.steps, state_.position.epoch);
  return true;
}

void Trainer::survey() {
  if (!model_->needs_survey()) return;
  comm::set_phase("surveying the training cells");
  auto cells = loader(split_.train, false);
  while (auto batch = cells.next()) model_->survey(feed_->move(*batch));
  auto sums = model_->survey_state();
  world_.tensors().all_reduce(sums, comm::Op::kSum);
  model_->finish_survey();
}

Exit Trainer::run() {
  if (world_.rank == 0) {
    if (state_.steps == 0) {
      recorder_->settings(config_,
                          {{"model", o_.model.name},
                           {"global_batch", static_cast<double>(o_.train.global_batch)},
                           {"epochs", static_cast<double>(o_.train.epochs)},
                           {"seed", static_cast<double>(o_.train.seed)},
                           {"ranks", static_cast<double>(world_.size)}},
                          {"validation/" + o_.evaluation.score});
    }
    for (auto& optimiser : stepper_->optimisers()) optimiser.make_moments();  // their shapes
    checkpoints_->writer().prepare(
        to_checkpoint(state_, *model_, stepper_->optimisers(), source_->vocabulary(), config_));
    for (auto& optimiser : stepper_->optimisers()) optimiser.drop_moments();
    progress_.emplace(ProgressOptions{"training", total_steps_, "steps", state_.steps});
  }
  if (!resumed_) save(Saving::kAtOnce);  // a path, a quota, a full disk: now rather than in hours
  since_record_.lap();
  const auto first = state_.steps;
  settle();  // what a stopped run left
  while (!finished() && !stop_) {
    comm::set_phase("step " + std::to_string(state_.steps));
    Stopwatch waiting;
    const auto batch = feed_->move(*training_->next());
    goodput_.add(Goodput::Part::kData, waiting.seconds());
    step(batch);
    if (state_.steps == first + 1)
      log::info("first step done {:.2f} s after the program's start", process_age());
    if (!stop_) settle();
  }
  if (stop_) save();
  finish_saving();
  if (stop_) {
    log::info("stopped by a signal: saved at step {}, asking to be started again", state_.steps);
  }
  comm::agree(*world_.host_world, [&] {
    if (recorder_) recorder_->close(!stop_);
  });
  if (progress_) progress_->finish();
  goodput_.steps(stepper_->times());
  log::info("{}", goodput_.text());
  return stop_ ? Exit::kRequeue : Exit::kDone;
}

void Trainer::step(const data::Batch& batch) {
  const bool overdue =
      o_.checkpoint.every_minutes > 0 && since_save_.seconds() > 60 * o_.checkpoint.every_minutes;
  // A save that failed is brought before all ranks by the next one.
  const bool wants_save = world_.rank == 0 && (overdue || checkpoints_->writer().failed());
  const auto factor = schedule_factor(o_.train, state_.steps, total_steps_);
  const auto result = stepper_->step(batch, factor, {stop_requested() != 0, wants_save});
  stop_ = result.votes.stop;
  save_asked_ = result.votes.save;
  ++state_.steps;
  state_.position = training_->position();
  for (auto* tally : {&state_.interval, &state_.epoch}) {
    for (const auto& [name, value] : result.losses)
      tally->add("loss/" + name, value, batch.global_cells);
    for (const auto& [name, value] : result.norms) tally->add("gradient_norm/" + name, value);
  }
  state_.interval.add("learning_rate_factor", factor);
  cells_trained_ += static_cast<double>(batch.global_cells);
}

void Trainer::settle() {
  if (state_.settled == state_.steps) return;
  if (state_.steps % o_.output.log_every_steps == 0) record_interval();
  const bool epoch_over = state_.position.step == training_->plan().steps();
  if (epoch_over) record_epoch();
  const auto due = [&](std::int64_t every) {
    return finished() || (every > 0 ? state_.steps % every == 0 : epoch_over);
  };
  const bool best = due(o_.evaluation.every_steps) && evaluate_now();
  state_.settled = state_.steps;
  if (best || save_asked_ || due(o_.checkpoint.every_steps)) save();
}

std::map<std::string, double> values_of(const Tally& tally) {
  std::map<std::string, double> values;
  for (const auto& [name, entry] : tally.entries()) {
    if (name.starts_with("gradient_norm/")) {
      values[name + "/mean"] = entry.mean();
      values[name + "/min"] = entry.low;
      values[name + "/max"] = entry.high;
    } else {
      values[name] = entry.mean();
    }
  }
  return values;
}

void Trainer::record_interval() {
  const double speed = cells_trained_ / (seconds_trained_ + since_record_.lap());
  cells_trained_ = seconds_trained_ = 0;
  const auto values = values_of(state_.interval);
  ++state_.points;
  if (recorder_) {
    goodput_.steps(stepper_->times());
    auto measured = goodput_.shares();
    measured["cells_per_second"] = speed;
    measured["data_wait_seconds"] = training_->counters().wait_seconds;
    recorder_->point(state_.steps, state_.position.epoch, "train", values, std::move(measured));
  }
  if (progress_) {
    progress_->update(state_.steps,
                      fmt::format("epoch {} loss {:.4g} {:.0f} cells/s", state_.position.epoch,
                                  values.at("loss/" + stepper_->optimisers().front().name()),
                                  speed));
  }
  state_.interval.clear();
}

void Trainer::record_epoch() {
  training_->next();  // nothing: on to the next epoch
  state_.position = training_->position();
  ++state_.points;
  if (recorder_) {
    recorder_->point(state_.steps, state_.position.epoch, "epoch", values_of(state_.epoch), {});
  }
  state_.epoch.clear();
}

bool Trainer::evaluate_now() {
  if (validation_->plan().cells() == 0) return false;
  seconds_trained_ += since_record_.lap();
  comm::set_phase("evaluating at step " + std::to_string(state_.steps));
  Stopwatch watch;
  const auto result =
      evaluate(*model_, *validation_, *feed_, *world_.host_world, stepper_->context());
  const auto score = result.scores.find(o_.evaluation.score);
  if (score == result.scores.end()) {
    std::string names;
    for (const auto& [name, value] : result.scores) names += (names.empty() ? "" : ", ") + name;
    throw UsageError("evaluation.score: no score '" + o_.evaluation.score + "'",
                     "scores are " + names, Exit::kConfig);
  }
  const bool better =
      state_.best_step < 0 ||
      (o_.evaluation.higher_is_better ? score->second > state_.best : score->second < state_.best);
  state_.evaluations_without_gain = better ? 0 : state_.evaluations_without_gain + 1;
  if (better) state_.best = score->second, state_.best_step = state_.steps;
  ++state_.points;
  if (recorder_) {
    recorder_->point(state_.steps, state_.position.epoch, "validation", result.scores,
                     {{"evaluation_seconds", watch.seconds()}});
    recorder_->influence(state_.steps, result.influence);
  }
  goodput_.add(Goodput::Part::kEvaluation, watch.seconds());
  if (ended_early()) {
    log::info("no gain in {} evaluations: ending at step {}", o_.evaluation.patience, state_.steps);
  }
  since_record_.lap();
  return better;
}

void Trainer::save(Saving saving) {
  comm::set_phase("saving at step " + std::to_string(state_.steps));
  Stopwatch watch;
  for (auto& optimiser : stepper_->optimisers()) optimiser.gather_moments(*world_.host_world, 0);
  comm::agree(*world_.host_world, [&] {
    if (world_.rank != 0) return;
    auto state =
        to_checkpoint(state_, *model_, stepper_->optimisers(), source_->vocabulary(), config_);
    if (saving == Saving::kAtOnce)
      checkpoints_->prove(state_, state);
    else
      checkpoints_->save(state_, std::move(state));
  });
  for (auto& optimiser : stepper_->optimisers()) optimiser.drop_moments();
  goodput_.add(Goodput::Part::kCheckpoint, watch.seconds());
  save_asked_ = false;
  since_save_.lap();
}

void Trainer::finish_saving() {
  comm::set_phase("publishing the last checkpoint");
  Stopwatch watch;
  comm::agree(*world_.host_world, [&] {
    if (checkpoints_) checkpoints_->writer().finish();
  });
  goodput_.add(Goodput::Part::kCheckpoint, watch.seconds());
}

}  // namespace

c10::Device choose_device(comm::World& world, const std::string& wanted) {
  const bool there = at::globalContext().hasCUDA();
  if (wanted == "cpu" || (wanted == "auto" && !there)) return c10::kCPU;
  comm::use_cuda(world);
  return world.device;
}

Exit train(comm::World& world, const RunOptions& options, const std::string& config, Start start) {
  install_stop_signals();
  return Trainer(world, options, config, start).run();
}

}  // namespace cellmill::train
