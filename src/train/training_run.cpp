#include "train/training_run.h"

#include <ATen/ATen.h>

#include "base/log.h"
#include "io/files.h"
#include "train/cell_order.h"
#include "train/replicas.h"
#include "train/reproducible.h"
#include "train/survey.h"

namespace cellmill::train {

namespace fs = std::filesystem;

namespace {

at::ScalarType dtype_of(const LoopOptions& o) {
  return o.precision == "float64" ? at::kDouble : at::kFloat;
}

}  // namespace

TrainingRun::TrainingRun(comm::World& world, const RunOptions& options, const std::string& config,
                         Start start, const Interfere& interfere)
    : world_(world),
      o_(settled(options)),
      config_(config),
      interfere_(interfere),
      stragglers_(*world.host_world) {
  comm::set_phase("opening data");
  comm::agree(*world.host_world, [&] {
    source_ = data::open_source(o_.data.source);
    split_ = data::make_split(source_->index(), o_.data.split);
  });
  comm::set_phase("building the model");
  const auto device = choose_device(world, o_.train.device);
  set_reproducible(o_, device);
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
  stepping.passes = pass_options(o_.train);
  stepper_.emplace(*model_, world.tensors(), o_.train.seed, stepping);
  const auto epoch_steps = training_->plan().steps();
  total_steps_ = o_.train.epochs * epoch_steps;
  if (o_.train.max_steps > 0) total_steps_ = std::min(total_steps_, o_.train.max_steps);
  open_folder(start);
  resumed_ = start == Start::kResume && resume();
  if (!resumed_) comm::agree(*world_.host_world, [&] { model_->start(); });
  if (!resumed_ && model_->needs_survey()) {
    comm::set_phase("surveying the training cells");
    auto cells = loader(split_.train, false);
    survey(*model_, cells, *feed_, world_.tensors(), stepper_->passes());
  }
  warnings_.share(*world_.host_world);
  open_recorder();

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

data::Loader TrainingRun::loader(const data::CellFilter& cells, bool shuffle) const {
  auto plan = data::plan_options(o_.data.loader, o_.train.global_batch, o_.train.seed);
  plan.shuffle = shuffle;
  return {*source_,
          &cells,
          plan,
          o_.data.loader,
          {world_.rank, world_.size, pass_options(o_.train).micro_shards}};
}

void TrainingRun::open_folder(Start start) {
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

bool TrainingRun::resume() {
  comm::set_phase("loading the checkpoint", comm::Phase::kSave);
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
    stepper_->passes().start_at(state_.steps);
    if (checkpoints_) checkpoints_->catch_up(state_);
  });
  log::info("resuming from {}: step {}, epoch {}", path, state_.steps, state_.position.epoch);
  return true;
}

void TrainingRun::open_recorder() {
  if (world_.rank != 0) return;
  const bool settled = state_.steps > 0 && state_.settled == state_.steps;
  recorder_.reset();
  recorder_ = std::make_unique<Recorder>(folder_->path(), state_.steps + (settled ? 1 : 0));
}

void TrainingRun::compare() {
  if (compared_ == state_.steps) return;
  comm::set_phase("comparing ranks at step " + std::to_string(state_.steps), comm::Phase::kStep,
                  state_.steps);
  Stopwatch watch;
  const auto difference =
      compare_replicas(*world_.host_world, world_.host, *model_, stepper_->optimisers());
  goodput_.add(Goodput::Part::kComparison, watch.seconds());
  if (difference)
    throw Different(
        fmt::format("the ranks' models differ after step {}: {}", state_.steps, difference->text));
  compared_ = state_.steps;
}

void TrainingRun::go_back(const Different& different) {
  if (o_.replicas.when_different == "stop") throw different;
  log::error("{}; going back to the last checkpoint", different.what());
  finish_saving();
  if (!resume()) throw Different(different.what() + std::string(", and no checkpoint is whole"));
  if (state_.steps == gone_back_to_)
    throw Different(fmt::format("{}, again since step {}", different.what(), gone_back_to_));
  gone_back_to_ = compared_ = state_.steps;
  stop_ = save_asked_ = false;
  open_recorder();
}

void TrainingRun::save(Saving saving) {
  compare();  // what is saved is what all ranks agree on
  comm::set_phase("saving at step " + std::to_string(state_.steps), comm::Phase::kSave,
                  state_.steps);
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

void TrainingRun::finish_saving() {
  comm::set_phase("publishing the last checkpoint", comm::Phase::kSave, state_.steps);
  Stopwatch watch;
  comm::agree(*world_.host_world, [&] {
    if (checkpoints_) checkpoints_->writer().finish();
  });
  goodput_.add(Goodput::Part::kCheckpoint, watch.seconds());
}

}  // namespace cellmill::train
