#pragma once
// Requests that come at about the same time go through the model together, because a pass reads all
// weights whatever the number of samples. A thread takes what waits, oldest first and of one kind,
// up to `rows` samples; it rests at most `wait_ms` for more while the model has nothing to do. A
// request is never split. Any thread may call.
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "serve/predictor.h"

namespace cellmill::serve {

struct BatchOptions {
  std::int64_t rows = 32;         ///< samples of a batch
  double wait_ms = 2;             ///< for more of them
  std::int64_t queue_rows = 512;  ///< samples that may wait
};

class Batcher {
 public:
  /// Told of every batch: samples and seconds.
  using Observe = std::function<void(std::size_t rows, double seconds)>;
  Batcher(Predictor& predictor, const BatchOptions& options, Observe observe);
  /// What had not begun ends with Stopped.
  ~Batcher();

  struct Stopped {};
  using Done = std::function<void(std::vector<Prediction>, std::exception_ptr)>;
  /// Room in the queue, to be filled by `push` or given back. False: it is full.
  bool reserve(std::size_t rows);
  void release(std::size_t rows);
  /// Once it is false the rows are dropped, unless the model has begun with them, and nothing is
  /// called.
  using Wanted = std::shared_ptr<const std::atomic<bool>>;
  /// `done` is called on the batcher's thread, and must be short.
  void push(Rows rows, Done done, Wanted wanted = nullptr);
  /// Seconds until what is pushed now would be done, from the speed of late.
  double expected_wait() const;
  std::size_t waiting_rows() const;
  void stop();
  /// Stopped, and its thread ended.
  void close();

 private:
  struct Item {
    Rows rows;
    std::size_t size;
    Done done;
    Wanted wanted;
  };
  void work();
  std::vector<Item> next(std::unique_lock<std::mutex>& lock);
  void answer(std::vector<Item> items);

  Predictor& predictor_;
  const BatchOptions options_;
  const Observe observe_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> waiting_;
  std::size_t queued_ = 0, reserved_ = 0;  // samples
  double seconds_a_row_ = 0.005;
  bool stopping_ = false;
  std::jthread thread_;
};

}  // namespace cellmill::serve
