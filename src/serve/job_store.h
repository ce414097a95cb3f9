#pragma once
// Jobs on disk: what was accepted is there after a kill -9 or a power failure, and is answered or
// failed with a reason. A thread of its own owns the database; what waits for it shares one
// transaction, so that many jobs cost one sync. Callbacks run on that thread, after the disk has
// it, and must be short. Bodies and answers lie there packed (serve/packed_text.h). Any thread may
// call. Library: SQLite (WAL, synchronous FULL).
#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "serve/database.h"
#include "serve/recent_results.h"

namespace cellmill::serve {

struct StoredJob {
  std::string id, link;  ///< link: names the result, needs no token
  std::string model;     ///< id as in the protocol
  std::string body;      ///< of the request
};

enum class JobState { kWaiting, kReady, kFailed };

struct JobView {
  JobState state = JobState::kWaiting;
  std::string link;     ///< of a ready one
  std::string message;  ///< why it failed
};

class JobStore {
 public:
  /// Seconds for which finished jobs are kept. Throws DataError.
  JobStore(const std::filesystem::path& path, std::int64_t kept_seconds);
  /// Does what waits.
  ~JobStore();

  /// What had been accepted and not finished when the database was opened, oldest first.
  std::vector<StoredJob> take_unfinished() { return std::move(unfinished_); }

  using Done = std::function<void(std::exception_ptr)>;
  void accept(StoredJob job, Done done);
  /// A job that is not there (any more) stays away.
  void finish(const std::string& id, std::shared_ptr<const std::string> head, std::string tail,
              Done done);
  void fail(const std::string& id, const std::string& message, Done done);
  /// Nothing if there is no such job; on an error of the disk too, which is logged.
  void find(const std::string& id, std::function<void(std::optional<JobView>)> done);
  /// What was finished a moment ago comes from memory, on the caller's thread.
  void fetch(const std::string& link, std::function<void(std::optional<JobResult>)> done);
  /// Operations that wait.
  std::size_t waiting() const;

 private:
  struct Operation {
    std::function<void(Database&)> work;
    Done done;
    std::exception_ptr error = nullptr;
  };
  void add(std::function<void(Database&)> work, Done done);
  void work();
  void transaction(std::deque<Operation>& operations);
  void remove_old();
  std::int64_t digest_of(const std::shared_ptr<const std::string>& head);
  std::shared_ptr<const std::string> head(std::int64_t digest);

  Database database_;
  const std::int64_t kept_seconds_;
  RecentResults recent_;
  std::vector<StoredJob> unfinished_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Operation> waiting_;
  bool ending_ = false;
  std::map<std::shared_ptr<const std::string>, std::int64_t> digests_;  // of heads, one a model
  std::map<std::int64_t, std::shared_ptr<const std::string>> heads_;    // of the thread
  std::jthread thread_;
};

}  // namespace cellmill::serve
