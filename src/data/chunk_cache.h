#pragma once
// Decoded chunks within a budget of bytes. Background threads load what `want` names, in that
// order; chunks needed now are loaded and kept whatever the budget, those ahead as far as it
// allows, and others stay while there is room (least recently needed leave first), so a data set
// that fits is loaded once a run. What a thread could not load, `get` throws. `want` and `get` are
// for one thread; the source must outlive the cache.
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "data/chunk_source.h"

namespace cellmill::data {

struct CacheCounters {
  std::int64_t chunks_loaded = 0;
  std::int64_t bytes_loaded = 0;
  double wait_seconds = 0;  ///< time that `get` waited
};

class ChunkCache {
 public:
  ChunkCache(const ChunkSource& source, std::int64_t budget_bytes, std::int64_t threads);
  /// Waits for loads under way, not for those still wanted.
  ~ChunkCache();
  ChunkCache(const ChunkCache&) = delete;
  /// Replaces what is wanted: `now` before `ahead`, each in order of need.
  void want(std::vector<std::int32_t> now, std::vector<std::int32_t> ahead);
  /// Waits for a chunk named in `now`. Throws what its loading threw.
  std::shared_ptr<const Chunk> get(std::int32_t id);
  CacheCounters counters() const;

 private:
  enum class Stage { kAbsent, kLoading, kReady, kFailed };
  struct Slot {
    Stage stage = Stage::kAbsent;
    std::shared_ptr<const Chunk> chunk;
    std::exception_ptr error;
    std::int64_t bytes = 0;        // once known
    std::int64_t last_needed = 0;  // count of `want` calls
    std::int64_t wanted = 0;       // likewise, now or ahead
  };
  void work();
  std::int32_t next_task() const;
  void store(std::int32_t id, std::shared_ptr<const Chunk> chunk);
  void evict();
  std::int64_t estimate(std::int32_t id) const;
  std::string doubt_about_budget();

  const ChunkSource& source_;
  const std::int64_t budget_;
  mutable std::mutex mutex_;
  std::condition_variable work_, ready_;
  bool stop_ = false;
  bool warned_ = false;
  std::vector<Slot> slots_;
  std::vector<std::int32_t> now_, ahead_;
  std::int64_t wants_ = 0;
  std::int64_t resident_bytes_ = 0;  // of ready chunks
  std::int64_t known_bytes_ = 0, known_rows_ = 0;
  CacheCounters counters_;
  std::vector<std::jthread> threads_;
};

}  // namespace cellmill::data
