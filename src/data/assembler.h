#pragma once
// The background of a Loader: threads that read the parts of the plan's buffers and gather their
// cells into batches, in order, ahead of the consumer. One buffer at least is read ahead while
// another is used; reading it is paced by the batches that are gathered meanwhile, so that batches
// come evenly instead of in a burst a buffer. What is read now is read whatever the budget, what
// lies ahead as far as it allows. Which thread does what when has no influence on the batches. One
// thread may use an Assembler; the source and the filter must outlive it.
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "data/batch.h"
#include "data/batch_pool.h"
#include "data/chunk_source.h"
#include "data/draft.h"
#include "data/loader.h"
#include "data/part_store.h"
#include "data/plan.h"

namespace cellmill::data {

class Assembler {
 public:
  Assembler(const ChunkSource& source, const CellFilter* filter, PlanOptions plan,
            LoaderOptions options, Shard shard);
  ~Assembler();
  std::shared_ptr<const Plan> plan(std::int64_t epoch);
  /// Forgets what is under way and goes on from there.
  void start(Position position);
  /// The batch of the next step, that of the next epoch after the last one. Throws what reading its
  /// cells threw, again if called again.
  Batch take();
  LoaderCounters counters() const;

 private:
  enum class Work { kNone, kPrepare, kRead, kLayOut, kFill };
  struct Task {
    Work work = Work::kNone;
    std::shared_ptr<Window> window;
    std::shared_ptr<Draft> draft;
    std::int64_t item = 0;  // part of the window, piece of the draft
  };

  void run();
  void perform(const Task& task, std::unique_lock<std::mutex>& lock);
  Task choose();
  Task choose_fill() const;
  Task choose_read();
  bool paced(const Task& fill, const Task& read) const;
  bool wants_window() const;
  void open_drafts();
  std::vector<std::shared_ptr<Window>> windows_of(const Draft& draft) const;
  /// Epoch and places of the first batch that is not finished.
  std::pair<std::int64_t, Plan::Range> need() const;
  const Plan* plan_here(std::int64_t epoch) const;
  void prepare(std::unique_lock<std::mutex>& lock);
  /// Absent parts of the window that the disk is to be asked for now.
  std::vector<Plan::Block> blocks_ahead(Window& window) const;
  void expect(const std::vector<Plan::Block>& blocks) const;
  void add(std::shared_ptr<Window> window);
  void read(Window& window, std::size_t item, std::unique_lock<std::mutex>& lock);
  void fill(Draft& draft, std::int64_t piece, std::unique_lock<std::mutex>& lock);
  void settle(std::int32_t part);
  void retire();
  std::int64_t rows_of(const Window& window, std::size_t item) const;
  std::string doubt_about_budget(const Window& window);

  const ChunkSource& source_;
  const CellFilter* const filter_;
  const PlanOptions plan_options_;
  const LoaderOptions options_;
  const Shard shard_;
  const bool whole_chunks_;
  const std::int64_t fields_, genes_, budget_, bytes_per_cell_;

  std::mutex planning_;  // of plans_; never taken while mutex_ is held
  std::map<std::int64_t, std::shared_ptr<const Plan>> plans_;

  mutable std::mutex mutex_;  // of all below
  std::condition_variable work_, ready_;
  bool stop_ = false, paused_ = true, preparing_ = false, doubted_ = false;
  std::int64_t running_ = 0;  // tasks under way
  PartStore store_;
  std::deque<std::shared_ptr<Window>> windows_;  // consecutive; the first is in use
  std::deque<std::shared_ptr<Draft>> drafts_;    // consecutive; the first is taken next
  Position next_window_, next_draft_;            // to be made; a window's `step` is its buffer
  std::exception_ptr error_;                     // of what is nobody's fault but ours
  LoaderCounters counters_;
  BatchPool pool_;
  std::vector<std::jthread> threads_;
};

}  // namespace cellmill::data
