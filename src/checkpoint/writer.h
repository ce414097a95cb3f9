#pragma once
// Saving while the caller goes on: it waits for a copy into host memory that is kept from save to
// save (page-locked where tensors lie on a GPU); a thread writes and publishes, one checkpoint at a
// time, as `save` does. What fails there comes out of the next call. One thread may call it.
#include <functional>

#include "base/background.h"
#include "checkpoint/checkpoint.h"

namespace cellmill::checkpoint {

class Writer {
 public:
  explicit Writer(fs::path folder) : folder_(std::move(folder)) {}
  /// Lets the thread take the memory that saving such a state will copy into, which can last
  /// seconds: otherwise the first save does.
  void prepare(const State& state);
  /// Waits for the save before, copies `state`'s tensors, and returns. `published` runs in the
  /// thread once the checkpoint stands.
  void save(std::int64_t step, State state, std::function<void()> published);
  /// Until the last save is published.
  void finish() { thread_.wait(); }
  /// The next call will throw.
  bool failed() { return thread_.failed(); }

 private:
  fs::path folder_;
  std::map<std::string, at::Tensor> copies_;
  Background thread_;  // last: its work uses the rest
};

}  // namespace cellmill::checkpoint
