#pragma once
// The life of an asynchronous request: accepted once the disk has it, meanwhile already on its way
// through its model's batcher, answered or failed on disk, in this order. A question for a job that
// is not done is held open until it is, or so many seconds long: the protocol's client sleeps at
// least a second between questions. Any thread may call; replies come on any thread.
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "serve/job_store.h"
#include "serve/served_models.h"

namespace cellmill::serve {

class Jobs {
 public:
  /// Somewhere else to do work that takes a millisecond, such as writing an answer.
  using Elsewhere = std::function<void(std::function<void()>)>;
  Jobs(JobStore& store, const ServedModels& models, Metrics& metrics, const QueryLimits& limits);
  /// Before anything else. What was accepted and not finished before a restart is asked again.
  void start(Elsewhere elsewhere);

  /// Nothing if the disk refused it: the model is not asked then, unless it already is. There is
  /// room in the batcher, which has been reserved.
  using Accepted = std::function<void(std::optional<std::string> id)>;
  void submit(const Offer& offer, Query query, std::string body, Accepted accepted);

  using Answered = std::function<void(std::optional<JobView>)>;
  /// The state of a job that is finished now or within `hold` seconds, else that it waits.
  void status(const std::string& id, double hold, Answered answered);
  /// Answers what has been held for long enough.
  void tick();
  /// Answers all that is held.
  void stop();
  std::size_t unfinished() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Held {
    Time until;
    Answered answered;
  };
  void ask(const std::string& id, const Offer& offer, Query query,
           Batcher::Wanted wanted = nullptr);
  void finished(const std::string& id, JobView view);
  void fail(const std::string& id, const std::string& link, const std::string& message);
  void release(Time until);

  JobStore& store_;
  const ServedModels& models_;
  Metrics& metrics_;
  const QueryLimits limits_;
  Elsewhere elsewhere_;
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Held>> live_;  // by id: who waits for it
  std::map<std::string, std::string> links_;
  std::map<std::string, std::string> unstored_;  // why jobs failed, where the disk did not take it
  bool stopping_ = false;
};

}  // namespace cellmill::serve
