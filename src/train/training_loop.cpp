#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "base/stop.h"
#include "train/cell_order.h"
#include "train/evaluate.h"
#include "train/schedule.h"
#include "train/session.h"
#include "train/training_run.h"

namespace cellmill::train {

Exit TrainingRun::run() {
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
  first_step_ = state_.steps;
  while (true) {
    try {
      if (!stop_) settle();  // first, what a stopped run left
      if (finished() || stop_) break;
      next_step();
    } catch (const Different& different) {
      go_back(different);
    }
  }
  finish_saving();
  if (stop_) {
    log::info("stopped by a signal: saved at step {}, asking to be started again", state_.steps);
  }
  comm::set_phase("closing the run", comm::Phase::kClose, state_.steps);
  comm::agree(*world_.host_world, [&] { close_curves(); });
  warnings_.share(*world_.host_world);
  if (progress_) progress_->finish();
  goodput_.steps(stepper_->times());
  log::info("{}", goodput_.text());
  return stop_ ? Exit::kRequeue : Exit::kDone;
}

void TrainingRun::close_curves() {
  try {
    if (recorder_) recorder_->close(!stop_);
  } catch (const DataError& refused) {
    log::warn("step {} is saved, but the last points of the curves may be lost", state_.steps);
    if (!stop_) throw;
    log::warn("{}", refused.text());  // to be started again matters more
  }
}

void TrainingRun::next_step() {
  comm::set_phase("step " + std::to_string(state_.steps),
                  state_.steps == first_step_ ? comm::Phase::kStart : comm::Phase::kStep,
                  state_.steps);
  Stopwatch watch;
  const auto batch = feed_->move(*training_->next());
  own_.data = watch.seconds();
  goodput_.add(Goodput::Part::kData, own_.data);
  own_.compute = own_seconds([&] { step(batch); });
  stragglers_.step(std::exchange(own_, {}));
  if (state_.steps == first_step_ + 1) {
    log::info("first step done {:.2f} s after the program's start", process_age());
    auto session = describe_session(world_);
    if (recorder_) recorder_->session(std::move(session), first_step_);
  }
  if (interfere_) interfere_(state_.steps, *model_);
  const auto every = o_.replicas.compare_every_steps;
  if (every > 0 && state_.steps % every == 0) compare();
  if (stop_) save();
}

void TrainingRun::step(const data::Batch& batch) {
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
  if (state_.cell_order) state_.cell_order = digest_of_order(*state_.cell_order, result.cells);
  for (auto* tally : {&state_.interval, &state_.epoch}) {
    for (const auto& [name, value] : result.losses)
      tally->add("loss/" + name, value, batch.global_cells);
    for (const auto& [name, value] : result.norms) tally->add("gradient_norm/" + name, value);
  }
  state_.interval.add("learning_rate_factor", factor);
  cells_trained_ += static_cast<double>(batch.global_cells);
}

void TrainingRun::settle() {
  if (state_.settled == state_.steps) return;
  if (state_.steps % o_.output.log_every_steps == 0) record_interval();
  const bool epoch_over = state_.position.step == training_->plan().steps();
  if (epoch_over) record_epoch();
  const auto due = [&](std::int64_t every) {
    return finished() || (every > 0 ? state_.steps % every == 0 : epoch_over);
  };
  const bool best = due(o_.evaluation.every_steps) && evaluate_now();
  state_.settled = state_.steps;
  if (best || save_asked_ || due(o_.checkpoint.every_steps))
    own_.save += own_seconds([this] { save(); });
}

namespace {

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

}  // namespace

void TrainingRun::record_interval() {
  const double speed = cells_trained_ / (seconds_trained_ + since_record_.lap());
  cells_trained_ = seconds_trained_ = 0;
  const auto values = values_of(state_.interval);
  ++state_.points;
  if (recorder_) {
    goodput_.steps(stepper_->times());
    auto measured = goodput_.shares();
    measured["cells_per_second"] = speed;
    measured["arrival_skew_seconds"] = stragglers_.skew();
    measured["data_wait_seconds"] = training_->counters().wait_seconds;
    recorder_->point(state_.steps, state_.position.epoch, "train", values, std::move(measured));
  }
  if (progress_) {
    progress_->update(
        state_.steps,
        fmt::format("epoch {} loss {:.4g} {:.0f} cells/s", state_.position.epoch,
                    values.at("loss/" + stepper_->optimisers().front().name()), speed));
  }
  state_.interval.clear();
}

void TrainingRun::record_epoch() {
  training_->next();  // nothing: on to the next epoch
  state_.position = training_->position();
  ++state_.points;
  if (recorder_) {
    recorder_->point(state_.steps, state_.position.epoch, "epoch", values_of(state_.epoch), {});
  }
  state_.epoch.clear();
}

bool TrainingRun::evaluate_now() {
  if (validation_->plan().cells() == 0) return false;
  seconds_trained_ += since_record_.lap();
  comm::set_phase("evaluating at step " + std::to_string(state_.steps), comm::Phase::kEvaluate,
                  state_.steps);
  Stopwatch watch;
  const auto result =
      evaluate(*model_, *validation_, *feed_, *world_.host_world, stepper_->passes());
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
  warnings_.share(*world_.host_world);
  goodput_.add(Goodput::Part::kEvaluation, watch.seconds());
  if (ended_early()) {
    log::info("no gain in {} evaluations: ending at step {}", o_.evaluation.patience, state_.steps);
  }
  since_record_.lap();
  return better;
}

}  // namespace cellmill::train
