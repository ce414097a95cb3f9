#pragma once
// Work done in order on a thread of its own, so that its caller does not wait for it. The thread
// looks for work every 20 ms: waking it would cost the caller a system call. At most `capacity`
// pieces wait; `run` blocks beyond that. What a piece throws is rethrown by the next `run` or
// `wait`, and the pieces after it are dropped. One thread may use it.
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace cellmill {

class Background {
 public:
  explicit Background(std::size_t capacity = 1024);
  /// Does what waits; an error that nobody asked for is lost.
  ~Background();

  void run(std::function<void()> piece);
  /// Until nothing waits or runs.
  void wait();
  /// The next `run` or `wait` will throw.
  bool failed();
  /// For a piece that tries something again: rests so long, or until somebody waits or there is
  /// more to do. True if the time has passed.
  bool rest(double seconds);

 private:
  void work();
  void rethrow();

  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> pieces_;  // the first one is running
  std::exception_ptr error_;
  bool ending_ = false;
  int waiting_ = 0;  // callers of `wait`
  std::jthread thread_;
};

}  // namespace cellmill
