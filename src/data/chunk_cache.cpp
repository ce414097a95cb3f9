#include "data/chunk_cache.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "base/stopwatch.h"

namespace cellmill::data {

ChunkCache::ChunkCache(const ChunkSource& source, std::int64_t budget_bytes, std::int64_t threads)
    : source_(source), budget_(budget_bytes), slots_(source.index().size()) {
  for (std::int64_t t = 0; t < std::max<std::int64_t>(threads, 1); ++t)
    threads_.emplace_back([this] { work(); });
}

ChunkCache::~ChunkCache() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
}

void ChunkCache::want(std::vector<std::int32_t> now, std::vector<std::int32_t> ahead) {
  {
    std::lock_guard lock(mutex_);
    now_ = std::move(now);
    ahead_ = std::move(ahead);
    ++wants_;
    for (std::int32_t id : now_) slots_[id].last_needed = slots_[id].wanted = wants_;
    for (std::int32_t id : ahead_) slots_[id].wanted = wants_;
    evict();
  }
  work_.notify_all();
}

std::shared_ptr<const Chunk> ChunkCache::get(std::int32_t id) {
  std::unique_lock lock(mutex_);
  const Slot& slot = slots_[id];
  if (slot.stage != Stage::kReady) {
    const Stopwatch watch;
    ready_.wait(lock, [&] { return slot.stage == Stage::kReady || slot.stage == Stage::kFailed; });
    counters_.wait_seconds += watch.seconds();
  }
  if (slot.stage == Stage::kFailed) std::rethrow_exception(slot.error);
  return slot.chunk;
}

CacheCounters ChunkCache::counters() const {
  std::lock_guard lock(mutex_);
  return counters_;
}

void ChunkCache::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    std::int32_t id = -1;
    work_.wait(lock, [&] { return stop_ || (id = next_task()) >= 0; });
    if (stop_) return;
    slots_[id].stage = Stage::kLoading;
    lock.unlock();
    std::shared_ptr<const Chunk> chunk;
    std::exception_ptr error;
    try {
      chunk = std::make_shared<const Chunk>(source_.load(id));
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error) {
      slots_[id].stage = Stage::kFailed;
      slots_[id].error = error;
    } else {
      store(id, std::move(chunk));
    }
    const std::string doubt = doubt_about_budget();
    lock.unlock();
    ready_.notify_all();
    if (!doubt.empty()) log::warn("{}", doubt);
    lock.lock();
  }
}

std::int32_t ChunkCache::next_task() const {
  const auto absent = [&](std::int32_t id) { return slots_[id].stage == Stage::kAbsent; };
  const auto first = std::find_if(now_.begin(), now_.end(), absent);
  if (first != now_.end()) return *first;
  std::int64_t bytes = 0;
  for (std::int32_t id : now_) bytes += estimate(id);
  for (std::int32_t id : ahead_) {
    bytes += estimate(id);
    if (bytes > budget_) break;
    if (absent(id)) return id;
  }
  return -1;
}

void ChunkCache::store(std::int32_t id, std::shared_ptr<const Chunk> chunk) {
  Slot& slot = slots_[id];
  if (slot.bytes == 0) {
    slot.bytes = chunk->bytes();
    known_bytes_ += slot.bytes;
    known_rows_ += chunk->rows;
  }
  slot.chunk = std::move(chunk);
  slot.stage = Stage::kReady;
  resident_bytes_ += slot.bytes;
  ++counters_.chunks_loaded;
  counters_.bytes_loaded += slot.bytes;
  evict();
}

void ChunkCache::evict() {
  while (resident_bytes_ > budget_) {
    Slot* oldest = nullptr;
    for (Slot& slot : slots_)
      if (slot.stage == Stage::kReady && slot.wanted != wants_ &&
          (!oldest || slot.last_needed < oldest->last_needed))
        oldest = &slot;
    if (!oldest) return;
    oldest->chunk.reset();
    oldest->stage = Stage::kAbsent;
    resident_bytes_ -= oldest->bytes;
  }
}

std::int64_t ChunkCache::estimate(std::int32_t id) const {
  if (slots_[id].bytes > 0 || known_rows_ == 0) return slots_[id].bytes;
  return static_cast<std::int64_t>(static_cast<double>(known_bytes_) / known_rows_ *
                                   source_.index()[id].rows);
}

std::string ChunkCache::doubt_about_budget() {
  if (warned_ || now_.size() < 2) return {};
  std::int64_t bytes = 0;
  for (std::int32_t id : now_) bytes += estimate(id);
  if (bytes <= budget_) return {};
  warned_ = true;
  return fmt::format(
      "one shuffle buffer touches {} chunks, about {} MB, more than memory_mb = {}: raise "
      "memory_mb, or set block_cells: 0 to shuffle whole chunks (order: chunk takes one at a "
      "time), or lower buffer_cells",
      now_.size(), bytes >> 20, budget_ >> 20);
}

}  // namespace cellmill::data
