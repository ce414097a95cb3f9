#pragma once
// Saving while the caller goes on: it waits for a copy into host memory that is kept from save to
// save (page-locked where tensors lie on a GPU); a thread writes and publishes, one checkpoint at a
// time, as `save` does. What the system refuses there (a full disk) is said as a warning and tried
// again, at once and then at growing intervals, until the next save takes its place; `finish`
// throws it after a last try. Any other error comes out of the next call. One thread may call it.
#include <atomic>
#include <functional>

#include "base/background.h"
#include "checkpoint/checkpoint.h"

namespace cellmill::checkpoint {

class Writer {
 public:
  /// `before` runs ahead of every attempt to save, as a part of it.
  explicit Writer(
      fs::path folder, std::function<void()> before = [] {})
      : folder_(std::move(folder)), before_(std::move(before)) {}
  /// Lets the thread take the memory that saving such a state will copy into, which can last
  /// seconds: otherwise the first save does.
  void prepare(const State& state);
  /// Waits for the save before, copies `state`'s tensors, and returns. `published` runs in the
  /// thread once the checkpoint stands.
  void save(std::int64_t step, State state, std::function<void()> published);
  /// In the caller's thread, once: throws whatever fails.
  void save_now(std::int64_t step, const State& state, const std::function<void()>& published);
  /// Until the last save is published.
  void finish();
  /// The next call will throw.
  bool failed() { return thread_.failed(); }

 private:
  struct Piece {
    std::int64_t step;
    State state;
    std::function<void()> published;
  };
  void attempt(const Piece& piece);
  /// Attempts until it stands, or false when it gave way to a later one.
  bool persist(const Piece& piece);

  fs::path folder_;
  std::function<void()> before_;
  std::atomic<bool> finishing_ = false;
  std::map<std::string, at::Tensor> copies_;
  Background thread_;  // last: its work uses the rest
};

}  // namespace cellmill::checkpoint
