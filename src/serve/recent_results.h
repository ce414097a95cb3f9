#pragma once
// Results of a moment ago, since a client fetches its own as soon as it is there: at most so many
// bytes, the oldest go first, and none outlives what is on disk. Any thread may call.
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace cellmill::serve {

/// The answer is the head and the tail; heads are shared.
struct JobResult {
  std::shared_ptr<const std::string> head, tail;
};

class RecentResults {
 public:
  RecentResults(std::size_t bytes, std::int64_t kept_seconds)
      : limit_(bytes), kept_(kept_seconds) {}
  void add(const std::string& link, JobResult result);
  std::optional<JobResult> find(const std::string& link) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Kept {
    JobResult result;
    Clock::time_point until;
  };
  const std::size_t limit_;
  const std::chrono::seconds kept_;
  mutable std::mutex mutex_;
  std::map<std::string, Kept> results_;  // by link
  std::deque<std::string> links_;        // oldest first
  std::size_t bytes_ = 0;                // of tails
};

}  // namespace cellmill::serve
