#include "data/assembler.h"

#include <algorithm>

#include "base/stopwatch.h"

namespace cellmill::data {
namespace {

constexpr std::int64_t kCellsAhead = 4096;  // of batches made ahead, at least two batches

std::int64_t retained(const ChunkSource& source, std::int64_t budget) {
  return !source.reads_rows() || source.cells() * source.bytes_held() <= budget ? budget : 0;
}

}  // namespace

Assembler::Assembler(const ChunkSource& source, const CellFilter* filter, PlanOptions plan,
                     LoaderOptions options, Shard shard)
    : source_(source),
      filter_(filter),
      plan_options_(plan),
      options_(std::move(options)),
      shard_(shard),
      whole_chunks_(!source.reads_rows()),
      fields_(static_cast<std::int64_t>(source.vocabulary().fields.size())),
      genes_(static_cast<std::int64_t>(source.vocabulary().genes.size())),
      budget_(options_.memory_mb << 20),
      bytes_per_cell_(source.bytes_held()),
      store_(source,
             whole_chunks_ ? static_cast<std::int64_t>(source.index().size())
                           : this->plan(0)->block_numbers(),
             retained(source, budget_)) {
  for (std::int64_t t = 0; t < std::max<std::int64_t>(options_.threads, 1); ++t)
    threads_.emplace_back([this] { run(); });
}

Assembler::~Assembler() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
}

std::shared_ptr<const Plan> Assembler::plan(std::int64_t epoch) {
  const std::lock_guard lock(planning_);
  std::erase_if(plans_, [&](const auto& kept) { return std::abs(kept.first - epoch) > 1; });
  auto& plan = plans_[epoch];
  if (!plan)
    plan = std::make_shared<const Plan>(make_plan(source_.index(), filter_, epoch, plan_options_));
  return plan;
}

void Assembler::start(Position position) {
  auto plan = this->plan(position.epoch);
  if (position.step == plan->steps()) {
    position = {position.epoch + 1, 0};
    plan = this->plan(position.epoch);
  }
  std::unique_lock lock(mutex_);
  paused_ = true;
  ready_.wait(lock, [&] { return running_ == 0; });
  drafts_.clear();
  for (const auto& window : windows_)
    for (const std::int32_t part : window->parts) store_.release(part);
  windows_.clear();
  if (plan->cells() == 0) return;  // nothing to do, in no epoch
  next_draft_ = position;
  next_window_ = {position.epoch, plan->buffer_of(plan->step_range(position.step).begin)};
  paused_ = false;
  lock.unlock();
  work_.notify_all();
}

Batch Assembler::take() {
  std::unique_lock lock(mutex_);
  const auto due = [&] {
    return error_ || (!drafts_.empty() && (drafts_.front()->stage == Draft::Stage::kReady ||
                                           drafts_.front()->stage == Draft::Stage::kFailed));
  };
  const Stopwatch watch;
  ready_.wait(lock, due);
  counters_.wait_seconds += watch.seconds();
  if (error_) std::rethrow_exception(error_);
  if (drafts_.front()->error) std::rethrow_exception(drafts_.front()->error);
  Batch batch = std::move(drafts_.front()->batch);
  drafts_.pop_front();
  lock.unlock();
  work_.notify_all();
  return batch;
}

LoaderCounters Assembler::counters() const {
  const std::lock_guard lock(mutex_);
  LoaderCounters counters = counters_;
  counters.peak_bytes = store_.peak_bytes();
  return counters;
}

void Assembler::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    Task task;
    work_.wait(lock, [&] {
      return stop_ || (!paused_ && !error_ && (task = choose()).work != Work::kNone);
    });
    if (stop_) return;
    ++running_;
    try {
      perform(task, lock);
    } catch (...) {
      if (!lock.owns_lock()) lock.lock();
      error_ = std::current_exception();
    }
    --running_;
    work_.notify_all();
    ready_.notify_all();
  }
}

Assembler::Task Assembler::choose() {
  if (!preparing_ && wants_window()) {
    preparing_ = true;
    return {Work::kPrepare, {}, {}, 0};
  }
  open_drafts();
  for (const auto& draft : drafts_) {
    if (draft->stage != Draft::Stage::kWaiting) continue;
    const auto windows = windows_of(*draft);
    for (const auto& window : windows)
      if (window->error) {
        draft->stage = Draft::Stage::kFailed;
        draft->error = window->error;
        ready_.notify_all();
      }
    const bool there = std::all_of(windows.begin(), windows.end(),
                                   [](const auto& window) { return window->waiting == 0; });
    if (draft->stage == Draft::Stage::kFailed || !there) break;
    draft->stage = Draft::Stage::kLayingOut;
    return {Work::kLayOut, {}, draft, 0};
  }
  Task fill = choose_fill();
  const Task read = choose_read();
  if (fill.work == Work::kNone || (read.work == Work::kRead && paced(fill, read))) return read;
  fill.item = fill.draft->next_piece++;
  return fill;
}

Assembler::Task Assembler::choose_fill() const {
  for (const auto& draft : drafts_)
    if (draft->stage == Draft::Stage::kFilling && draft->next_piece < draft->pieces)
      return {Work::kFill, {}, draft, 0};
  return {};
}

Assembler::Task Assembler::choose_read() {
  const auto [epoch, places] = need();
  for (const auto& window : windows_) {
    while (window->next_part < window->parts.size() &&
           store_.stage(window->parts[window->next_part]) != PartStore::Stage::kAbsent)
      ++window->next_part;
    if (window->next_part == window->parts.size()) continue;
    const bool needed = window->epoch() == epoch && window->places.begin < places.end;
    const std::int64_t bytes = rows_of(*window, window->next_part) * bytes_per_cell_;
    if (!needed && store_.wanted_bytes() + bytes > budget_) return {};
    return {Work::kRead, window, {}, static_cast<std::int64_t>(window->next_part)};
  }
  return {};
}

/// Is the window after the one that the batch begins in to be read first, to keep up with it?
bool Assembler::paced(const Task& fill, const Task& read) const {
  const Draft& draft = *fill.draft;
  const auto in_use = std::find_if(windows_.begin(), windows_.end(), [&](const auto& window) {
    return window->epoch() == draft.epoch() && window->places.end > draft.places.begin;
  });
  if (in_use == windows_.end() || in_use + 1 == windows_.end() || in_use[1] != read.window)
    return false;
  const Plan::Range places = (*in_use)->places;
  return read.window->started() * static_cast<double>(places.end - places.begin) <
         static_cast<double>(draft.places.begin - places.begin);
}

std::pair<std::int64_t, Plan::Range> Assembler::need() const {
  for (const auto& draft : drafts_)
    if (draft->stage != Draft::Stage::kReady) return {draft->epoch(), draft->places};
  const Plan* plan = plan_here(next_draft_.epoch);
  return {next_draft_.epoch,
          plan ? plan->step_range(next_draft_.step) : Plan::Range{0, plan_options_.global_batch}};
}

const Plan* Assembler::plan_here(std::int64_t epoch) const {
  for (const auto& window : windows_)
    if (window->epoch() == epoch) return window->plan.get();
  return nullptr;
}

bool Assembler::wants_window() const {
  const Plan* plan = plan_here(next_draft_.epoch);
  if (!plan) return true;
  const std::pair<std::int64_t, std::int64_t> last_used = {
      next_draft_.epoch, plan->buffer_of(plan->step_range(next_draft_.step).end - 1)};
  std::int64_t windows = 0, parts = 0;
  for (const auto& window : windows_)
    if (std::pair{window->epoch(), window->buffer} > last_used) {
      ++windows;
      parts += static_cast<std::int64_t>(window->parts.size());
    }
  if (std::pair{windows_.back()->epoch(), windows_.back()->buffer} < last_used) return true;
  return windows == 0 || (whole_chunks_ && parts < options_.prefetch_chunks);
}

void Assembler::open_drafts() {
  const std::int64_t share = std::max<std::int64_t>(1, plan_options_.global_batch / shard_.count);
  const auto most = static_cast<std::size_t>(std::clamp<std::int64_t>(kCellsAhead / share, 2, 8));
  while (drafts_.size() < most) {
    const auto window = std::find_if(windows_.begin(), windows_.end(), [&](const auto& w) {
      return w->epoch() == next_draft_.epoch;
    });
    if (window == windows_.end()) return;
    const auto& plan = (*window)->plan;
    const std::int64_t end = plan->step_range(next_draft_.step).end;
    const Window& back = *windows_.back();
    if (back.epoch() == next_draft_.epoch && back.places.end < end) return;
    drafts_.push_back(std::make_shared<Draft>(plan, next_draft_.step, shard_));
    if (++next_draft_.step == plan->steps()) next_draft_ = {next_draft_.epoch + 1, 0};
  }
}

std::vector<std::shared_ptr<Window>> Assembler::windows_of(const Draft& draft) const {
  std::vector<std::shared_ptr<Window>> windows;
  for (const auto& window : windows_)
    if (window->epoch() == draft.epoch() && window->places.begin < draft.places.end &&
        window->places.end > draft.places.begin)
      windows.push_back(window);
  return windows;
}

}  // namespace cellmill::data
