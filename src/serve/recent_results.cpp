#include "serve/recent_results.h"

namespace cellmill::serve {

void RecentResults::add(const std::string& link, JobResult result) {
  std::lock_guard lock(mutex_);
  const std::size_t size = result.tail->size();
  if (!results_.emplace(link, Kept{std::move(result), Clock::now() + kept_}).second) return;
  links_.push_back(link);
  bytes_ += size;
  while (bytes_ > limit_) {
    const auto oldest = results_.find(links_.front());
    bytes_ -= oldest->second.result.tail->size();
    results_.erase(oldest);
    links_.pop_front();
  }
}

std::optional<JobResult> RecentResults::find(const std::string& link) const {
  std::lock_guard lock(mutex_);
  const auto found = results_.find(link);
  if (found == results_.end() || found->second.until < Clock::now()) return {};
  return found->second.result;
}

}  // namespace cellmill::serve
