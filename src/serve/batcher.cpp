#include "serve/batcher.h"

#include <chrono>
#include <iterator>

namespace cellmill::serve {
namespace {

using Clock = std::chrono::steady_clock;

std::size_t size_of(const Rows& rows) {
  return std::visit([](const auto& list) { return list.size(); }, rows);
}

void append(Rows& to, Rows&& from) {
  std::visit(
      [&](auto& list) {
        auto& more = std::get<std::decay_t<decltype(list)>>(from);
        list.insert(list.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
      },
      to);
}

}  // namespace

Batcher::Batcher(Predictor& predictor, const BatchOptions& options, Observe observe)
    : predictor_(predictor), options_(options), observe_(std::move(observe)) {
  thread_ = std::jthread([this] { work(); });
}

Batcher::~Batcher() { stop(); }

void Batcher::close() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void Batcher::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

bool Batcher::reserve(std::size_t rows) {
  std::lock_guard lock(mutex_);
  if (queued_ + reserved_ + rows > static_cast<std::size_t>(options_.queue_rows)) return false;
  reserved_ += rows;
  return true;
}

void Batcher::release(std::size_t rows) {
  std::lock_guard lock(mutex_);
  reserved_ -= std::min(rows, reserved_);
}

void Batcher::push(Rows rows, Done done, Wanted wanted) {
  {
    std::unique_lock lock(mutex_);
    if (stopping_) {
      lock.unlock();
      return done({}, std::make_exception_ptr(Stopped{}));
    }
    const std::size_t size = size_of(rows);
    reserved_ -= std::min(size, reserved_);
    queued_ += size;
    waiting_.push_back({std::move(rows), size, std::move(done), std::move(wanted)});
  }
  changed_.notify_all();
}

double Batcher::expected_wait() const {
  std::lock_guard lock(mutex_);
  return seconds_a_row_ * static_cast<double>(queued_ + reserved_);
}

std::size_t Batcher::waiting_rows() const {
  std::lock_guard lock(mutex_);
  return queued_ + reserved_;
}

std::vector<Batcher::Item> Batcher::next(std::unique_lock<std::mutex>& lock) {
  const auto limit = static_cast<std::size_t>(options_.rows);
  changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
  const auto until = Clock::now() + std::chrono::duration<double, std::milli>(options_.wait_ms);
  while (!stopping_ && queued_ < limit &&
         changed_.wait_until(lock, until) != std::cv_status::timeout) {
  }
  std::vector<Item> items;
  std::size_t rows = 0;
  while (!waiting_.empty() && !stopping_) {
    Item& first = waiting_.front();
    if (first.wanted && !*first.wanted) {
      queued_ -= first.size;
      waiting_.pop_front();
      continue;
    }
    const bool fits = items.empty() || (rows + first.size <= limit &&
                                        first.rows.index() == items.front().rows.index());
    if (!fits) break;
    rows += first.size;
    items.push_back(std::move(first));
    waiting_.pop_front();
  }
  queued_ -= rows;
  return items;
}

void Batcher::answer(std::vector<Item> items) {
  const auto begin = Clock::now();
  Rows rows = std::move(items[0].rows);
  for (std::size_t i = 1; i < items.size(); ++i) append(rows, std::move(items[i].rows));
  const std::size_t size = size_of(rows);
  std::vector<Prediction> predictions;
  std::exception_ptr error;
  try {
    predictions = predictor_.answer(rows);
    if (predictions.size() != size) throw std::length_error("a predictor forgot rows");
  } catch (...) {
    error = std::current_exception();
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  observe_(size, seconds);
  {
    std::lock_guard lock(mutex_);
    seconds_a_row_ += 0.2 * (seconds / static_cast<double>(size) - seconds_a_row_);
  }
  auto from = predictions.begin();
  for (Item& item : items) {
    std::vector<Prediction> share;
    if (!error) {
      share.assign(std::make_move_iterator(from),
                   std::make_move_iterator(from + static_cast<std::ptrdiff_t>(item.size)));
      from += static_cast<std::ptrdiff_t>(item.size);
    }
    item.done(std::move(share), error);
  }
}

void Batcher::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::vector<Item> items = next(lock);
    if (items.empty() && stopping_) break;
    if (items.empty()) continue;  // nobody wants any more
    lock.unlock();
    answer(std::move(items));
    lock.lock();
  }
  const std::deque<Item> left = std::exchange(waiting_, {});
  queued_ = 0;
  lock.unlock();
  for (const Item& item : left) item.done({}, std::make_exception_ptr(Stopped{}));
}

}  // namespace cellmill::serve
