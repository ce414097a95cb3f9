// What the threads of an Assembler do; what comes next is chosen in assembler.cpp.
#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "base/log.h"
#include "data/assembler.h"

namespace cellmill::data {
namespace {

constexpr std::int64_t kBytesExpected = 16 << 20;  // that the disk is asked for ahead

}  // namespace

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
      task.draft->stage = task.draft->pieces > 0 ? Draft::Stage::kFilling : Draft::Stage::kReady;
      return retire();
    }
    case Work::kFill:
      return fill(*task.draft, task.item, lock);
    case Work::kNone:
      return;
  }
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
  const auto ahead = blocks_ahead(*window);
  lock.unlock();
  work_.notify_all();
  if (!doubt.empty()) log::warn("{}", doubt);
  expect(ahead);
  lock.lock();
}

std::vector<Plan::Block> Assembler::blocks_ahead(Window& window) const {
  std::vector<Plan::Block> blocks;
  if (whole_chunks_) return blocks;
  std::int64_t bytes = 0;
  for (std::size_t item = window.next_part; item < window.parts.size() && bytes < kBytesExpected;
       ++item) {
    bytes += rows_of(window, item) * bytes_per_cell_;
    if (item < window.next_expected) continue;
    window.next_expected = item + 1;
    if (store_.stage(window.parts[item]) == PartStore::Stage::kAbsent)
      blocks.push_back(window.share.blocks[window.block_of_part[item]]);
  }
  return blocks;
}

void Assembler::expect(const std::vector<Plan::Block>& blocks) const {
  try {
    for (const Plan::Block& block : blocks) source_.expect(block.chunk, block.begin, block.end);
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

void Assembler::read(Window& window, std::size_t item, std::unique_lock<std::mutex>& lock) {
  const std::int32_t part = window.parts[item];
  const std::int64_t expected = rows_of(window, item);
  auto rows = store_.begin(part, expected * bytes_per_cell_);
  const Plan::Block block = window.share.blocks[window.block_of_part[item]];
  const auto ahead = blocks_ahead(window);
  std::exception_ptr error;
  std::int64_t bytes = 0;
  lock.unlock();
  expect(ahead);
  try {
    std::vector<std::int32_t> taken(static_cast<std::size_t>(expected));
    std::iota(taken.begin(), taken.end(), 0);
    if (!whole_chunks_) taken = window.plan->rows_of(block);
    bytes = rows->read(block.chunk, taken);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  counters_.bytes_read += bytes;
  counters_.rows_read += rows->size();
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

void Assembler::fill(Draft& draft, std::int64_t piece, std::unique_lock<std::mutex>& lock) {
  std::exception_ptr error;
  lock.unlock();
  try {
    draft.fill(piece);
  } catch (...) {
    error = std::current_exception();
  }
  lock.lock();
  if (error && !draft.error) draft.error = error;
  if (++draft.pieces_done < draft.pieces) return;
  draft.stage = draft.error ? Draft::Stage::kFailed : Draft::Stage::kReady;
  retire();
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
