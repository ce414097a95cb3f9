#include "base/background.h"

#include <chrono>
#include <utility>

namespace cellmill {

Background::Background(std::size_t capacity) : capacity_(capacity), thread_([this] { work(); }) {}

Background::~Background() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

void Background::run(std::function<void()> piece) {
  std::unique_lock lock(mutex_);
  if (pieces_.size() >= capacity_) {
    changed_.notify_all();
    changed_.wait(lock, [&] { return pieces_.size() < capacity_; });
  }
  rethrow();
  pieces_.push_back(std::move(piece));
}

void Background::wait() {
  std::unique_lock lock(mutex_);
  ++waiting_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return pieces_.empty(); });
  --waiting_;
  rethrow();
}

bool Background::failed() {
  const std::scoped_lock lock(mutex_);
  return error_ != nullptr;
}

bool Background::rest(double seconds) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                            [&] { return waiting_ > 0 || ending_ || pieces_.size() > 1; });
}

void Background::rethrow() {
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Background::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (pieces_.empty()) {
      if (ending_) return;
      changed_.wait_for(lock, std::chrono::milliseconds(20));
      continue;
    }
    auto& piece = pieces_.front();  // a deque's first element stays where it is
    lock.unlock();
    std::exception_ptr error;
    try {
      piece();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error) {
      error_ = error;
      pieces_.clear();
    } else {
      pieces_.pop_front();
    }
    if (pieces_.empty() || pieces_.size() + 1 == capacity_) changed_.notify_all();
  }
}

}  // namespace cellmill
