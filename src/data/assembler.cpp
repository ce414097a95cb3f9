#include "data/assembler.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "base/stopwatch.h"

namespace cellmill::data {
namespace {

constexpr std::int64_t kCellsAhead = 4096;  // of batches made ahead, at least two batches
constexpr std::size_t kExpected = 16;       // parts that the disk is asked for ahead

std::int64_t cells_of(const ChunkSource& source) {
  const auto& index = source.index();
  return index.empty() ? 0 : index.back().first_cell + index.back().rows;
}

std::int64_t bytes_per_cell(const ChunkSource& source) {
  const auto fields = static_cast<std::int64_t>(source.vocabulary().fields.size());
  return 8 + 4 * fields + 8 * source.entries() / std::max<std::int64_t>(cells_of(source), 1);
}

std::int64_t retained(const ChunkSource& source, std::int64_t budget) {
  return !source.reads_rows() || cells_of(source) * bytes_per_cell(source) <= budget ? budget : 0;
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
      bytes_per_cell_(bytes_per_cell(source)),
      retains_(retained(source, budget_) > 0),
      store_(whole_chunks_ ? static_cast<std::int64_t>(source.index().size())
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

void Assembler::perform(const Task& task, std::unique_lock<std::mutex>& lock) {
  switch (task.work) {
    case Work::kPrepare:
      return prepare(lock);
    case Work::kRead:
      return read(*task.window, static_cast<std::size_t>(task.item), lock);
    case Work::kLayOut: {
      const auto windows = windows_of(*task.draft);
      lock.unlock();
      task.draft->lay_out(windows, fields_, genes_, pool_);
      lock.lock();
      task.draft->stage = task.draft->pieces > 0 ? Draft::Stage::kCopying : Draft::Stage::kReady;
      return retire();
    }
    case Work::kCopy:
      lock.unlock();
      task.draft->copy(task.item);
      lock.lock();
      if (++task.draft->pieces_done == task.draft->pieces) task.draft->stage = Draft::Stage::kReady;
      return retire();
    case Work::kNone:
      return;
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
  Task copy = choose_copy();
  const Task read = choose_read();
  if (copy.work == Work::kNone || (read.work == Work::kRead && paced(copy, read))) return read;
  copy.item = copy.draft->next_piece++;
  return copy;
}

Assembler::Task Assembler::choose_copy() const {
  for (const auto& draft : drafts_)
    if (draft->stage == Draft::Stage::kCopying && draft->next_piece < draft->pieces)
      return {Work::kCopy, {}, draft, 0};
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
bool Assembler::paced(const Task& copy, const Task& read) const {
  const Draft& draft = *copy.draft;
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

void Assembler::prepare(std::unique_lock<std::mutex>& lock) {
  const Position at = next_window_;
  lock.unlock();
  const auto plan = this->plan(at.epoch);
  const auto window = std::make_shared<Window>(plan, at.step, shard_, whole_chunks_);
  lock.lock();
  add(window);
  next_window_ =
      at.step + 1 < plan->buffers() ? Position{at.epoch, at.step + 1} : Position{at.epoch + 1, 0};
  preparing_ = false;
  const std::string doubt = doubt_about_budget(*window);
  lock.unlock();
  work_.notify_all();
  if (!doubt.empty()) log::warn("{}", doubt);
  for (std::size_t i = 0; i < kExpected; ++i) expect(*window, i);
  lock.lock();
}

void Assembler::expect(const Window& window, std::size_t item) const {
  if (whole_chunks_ || retains_ || item >= window.parts.size()) return;
  const Plan::Block& block = window.share.blocks[window.block_of_part[item]];
  try {
    source_.expect(block.chunk, block.begin, block.end);
  } catch (const std::exception&) {
    // reading will say it
  }
}

void Assembler::add(std::shared_ptr<Window> window) {
  for (std::size_t i = 0; i < window->parts.size(); ++i) {
    const std::int32_t part = window->parts[i];
    store_.want(part);
    window->rows[i] = store_.rows(part);
    if (store_.stage(part) == PartStore::Stage::kFailed) window->error = store_.error(part);
    if (store_.stage(part) != PartStore::Stage::kReady) ++window->waiting;
  }
  windows_.push_back(std::move(window));
}

void Assembler::read(const Window& window, std::size_t item, std::unique_lock<std::mutex>& lock) {
  const std::int32_t part = window.parts[item];
  const std::int64_t expected = rows_of(window, item);
  auto rows = store_.begin(part, expected * bytes_per_cell_);
  const Plan::Block block = window.share.blocks[window.block_of_part[item]];
  const auto plan = window.plan;
  std::exception_ptr error;
  std::int64_t bytes = 0;
  lock.unlock();
  expect(window, item + kExpected);
  try {
    const std::int64_t entries = expected * bytes_per_cell_ / 8;
    rows->indices.reserve(static_cast<std::size_t>(entries + entries / 8));
    rows->values.reserve(static_cast<std::size_t>(entries + entries / 8));
    if (whole_chunks_) {
      bytes = source_.read(block.chunk, 0, expected, *rows);
    } else {
      const auto taken = plan->rows_of(block);
      for (std::size_t i = 0, j = 0; i < taken.size(); i = j) {
        for (j = i + 1; j < taken.size() && taken[j] == taken[j - 1] + 1;) ++j;
        bytes += source_.read(block.chunk, taken[i], taken[j - 1] + 1, *rows);
      }
    }
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  counters_.bytes_read += bytes;
  counters_.rows_read += rows->rows;
  if (error)
    store_.fail(part, error);
  else
    store_.finish(part, std::move(rows));
  settle(part);
}

void Assembler::settle(std::int32_t part) {
  for (const auto& window : windows_) {
    const std::int64_t item = window->find(part);
    if (item < 0) continue;
    if (store_.stage(part) == PartStore::Stage::kFailed) {
      window->error = store_.error(part);
    } else {
      window->rows[item] = store_.rows(part);
      --window->waiting;
    }
  }
}

void Assembler::retire() {
  const auto [epoch, places] = need();
  while (!windows_.empty()) {
    const Window& window = *windows_.front();
    if (std::pair{window.epoch(), window.places.end} > std::pair{epoch, places.begin}) return;
    for (const std::int32_t part : window.parts) store_.release(part);
    windows_.pop_front();
  }
}

std::int64_t Assembler::rows_of(const Window& window, std::size_t item) const {
  const Plan::Block& block = window.share.blocks[window.block_of_part[item]];
  return whole_chunks_ ? source_.index()[block.chunk].rows : block.cells;
}

std::string Assembler::doubt_about_budget(const Window& window) {
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < window.parts.size(); ++i)
    bytes += rows_of(window, i) * bytes_per_cell_;
  if (doubted_ || bytes <= budget_ || (whole_chunks_ && window.parts.size() < 2)) return {};
  doubted_ = true;
  if (whole_chunks_)
    return fmt::format(
        "one shuffle buffer touches {} chunks, about {} MB, more than memory_mb = {}: raise "
        "memory_mb, or set block_cells: 0 to shuffle whole chunks (order: chunk takes one at a "
        "time), or lower buffer_cells",
        window.parts.size(), bytes >> 20, budget_ >> 20);
  return fmt::format(
      "one shuffle buffer takes about {} MB, more than memory_mb = {}: raise memory_mb, or lower "
      "buffer_cells",
      bytes >> 20, budget_ >> 20);
}

}  // namespace cellmill::data
