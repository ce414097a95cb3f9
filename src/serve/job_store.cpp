#include "serve/job_store.h"

#include <chrono>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "io/digest.h"
#include "serve/packed_text.h"

namespace cellmill::serve {
namespace {

constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS heads(digest INTEGER PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS jobs(
  id BLOB PRIMARY KEY, link BLOB NOT NULL UNIQUE, model BLOB NOT NULL, state INTEGER NOT NULL,
  created INTEGER NOT NULL, finished INTEGER, head INTEGER, message BLOB, body BLOB, tail BLOB);
CREATE INDEX IF NOT EXISTS by_finished ON jobs(finished);
PRAGMA user_version = 2;
)sql";
constexpr std::int64_t kVersion = 2;  // 2: bodies and tails are packed
constexpr std::size_t kRecentBytes = 64 << 20;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void prepare(Database& database, const std::filesystem::path& path) {
  Statement version(database, "PRAGMA user_version");
  version.step();
  const std::int64_t found = version.integer(0);
  if (found != 0 && found != kVersion)
    throw DataError(
        {path.string(), "user_version", std::to_string(kVersion), std::to_string(found)},
        "jobs of another version of cellmill", "move it away: a new one is made");
  database.execute(kSchema);
}

}  // namespace

JobStore::JobStore(const std::filesystem::path& path, std::int64_t kept_seconds)
    : database_(path), kept_seconds_(kept_seconds), recent_(kRecentBytes, kept_seconds) {
  prepare(database_, path);
  database_.execute(
      "DELETE FROM heads WHERE digest NOT IN (SELECT head FROM jobs WHERE head IS NOT NULL)");
  Statement rows(database_,
                 "SELECT id, link, model, body FROM jobs WHERE state = 0 ORDER BY created, rowid");
  while (rows.step())
    unfinished_.push_back(
        {rows.bytes(0), rows.bytes(1), rows.bytes(2), unpack_text(rows.bytes(3))});
  thread_ = std::jthread([this] { work(); });
}

JobStore::~JobStore() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
}

void JobStore::add(std::function<void(Database&)> work, Done done) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(work), std::move(done)});
  }
  changed_.notify_one();
}

std::size_t JobStore::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

void JobStore::accept(StoredJob job, Done done) {
  job.body = pack_text(job.body);
  add(
      [job = std::move(job)](Database& database) {
        Statement(
            database,
            "INSERT INTO jobs(id, link, model, state, created, body) VALUES(?, ?, ?, 0, ?, ?)")
            .bind(job.id)
            .bind(job.link)
            .bind(job.model)
            .bind(now())
            .bind(job.body)
            .run();
      },
      std::move(done));
}

void JobStore::finish(const std::string& id, std::shared_ptr<const std::string> head,
                      std::string tail, Done done) {
  auto link = std::make_shared<std::string>();
  const auto text = std::make_shared<const std::string>(std::move(tail));
  add(
      [this, id, head, digest = digest_of(head), packed = pack_text(*text),
       link](Database& database) {
        if (heads_.emplace(digest, head).second)
          Statement(database, "INSERT OR IGNORE INTO heads VALUES(?, ?)")
              .bind(digest)
              .bind(*head)
              .run();
        Statement row(database,
                      "UPDATE jobs SET state = 1, finished = ?, head = ?, tail = ?, body = NULL "
                      "WHERE id = ? RETURNING link");
        row.bind(now()).bind(digest).bind(packed).bind(id);
        if (row.step()) *link = row.bytes(0);
        while (row.step()) {
        }
      },
      [this, head, text, link, done = std::move(done)](std::exception_ptr error) {
        if (!error && !link->empty()) recent_.add(*link, {head, text});
        done(error);
      });
}

std::int64_t JobStore::digest_of(const std::shared_ptr<const std::string>& head) {
  std::lock_guard lock(mutex_);
  const auto [known, is_new] = digests_.try_emplace(head);
  if (is_new)
    known->second = static_cast<std::int64_t>(io::digest_number(head->data(), head->size(), 0));
  return known->second;
}

std::shared_ptr<const std::string> JobStore::head(std::int64_t digest) {
  if (const auto known = heads_.find(digest); known != heads_.end()) return known->second;
  Statement row(database_, "SELECT text FROM heads WHERE digest = ?");
  if (!row.bind(digest).step()) return nullptr;
  return heads_[digest] = std::make_shared<const std::string>(row.bytes(0));
}

void JobStore::fail(const std::string& id, const std::string& message, Done done) {
  add(
      [id, message](Database& database) {
        Statement(database,
                  "UPDATE jobs SET state = 2, finished = ?, message = ?, body = NULL WHERE id = ?")
            .bind(now())
            .bind(message)
            .bind(id)
            .run();
      },
      std::move(done));
}

void JobStore::find(const std::string& id, std::function<void(std::optional<JobView>)> done) {
  auto view = std::make_shared<std::optional<JobView>>();
  add(
      [id, view](Database& database) {
        Statement row(database, "SELECT state, link, message FROM jobs WHERE id = ?");
        if (row.bind(id).step())
          *view = JobView{static_cast<JobState>(row.integer(0)), row.bytes(1), row.bytes(2)};
      },
      [view, done = std::move(done)](std::exception_ptr) { done(std::move(*view)); });
}

void JobStore::fetch(const std::string& link, std::function<void(std::optional<JobResult>)> done) {
  if (auto recent = recent_.find(link)) return done(std::move(recent));
  auto result = std::make_shared<std::optional<JobResult>>();
  add(
      [this, link, result](Database& database) {
        Statement row(database, "SELECT head, tail FROM jobs WHERE link = ? AND state = 1");
        if (!row.bind(link).step()) return;
        if (auto text = head(row.integer(0)))
          *result = JobResult{std::move(text),
                              std::make_shared<const std::string>(unpack_text(row.bytes(1)))};
      },
      [result, done = std::move(done)](std::exception_ptr) { done(std::move(*result)); });
}

void JobStore::transaction(std::deque<Operation>& operations) {
  std::exception_ptr failure;
  try {
    database_.execute("BEGIN IMMEDIATE");
    for (Operation& each : operations) {
      database_.execute("SAVEPOINT one");
      try {
        each.work(database_);
        database_.execute("RELEASE one");
      } catch (const DataError&) {
        each.error = std::current_exception();
        heads_.clear();  // what was not written is not known
        database_.execute("ROLLBACK TO one; RELEASE one");
      }
    }
    database_.execute("COMMIT");
  } catch (const DataError& error) {
    failure = std::current_exception();
    heads_.clear();
    log::error("jobs: {}", error.what());
    try {
      database_.execute("ROLLBACK");
    } catch (const DataError&) {  // SQLite has already rolled back
    }
  }
  for (Operation& each : operations) each.done(each.error ? each.error : failure);
}

void JobStore::remove_old() {
  try {
    Statement(database_, "DELETE FROM jobs WHERE finished < ?").bind(now() - kept_seconds_).run();
  } catch (const DataError& error) {
    log::error("jobs: {}", error.what());
  }
}

void JobStore::work() {
  constexpr auto kPause = std::chrono::seconds(30);
  auto last = std::chrono::steady_clock::now() - kPause;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait_for(lock, std::chrono::seconds(1), [&] { return ending_ || !waiting_.empty(); });
    std::deque<Operation> operations = std::exchange(waiting_, {});
    if (operations.empty() && ending_) return;
    lock.unlock();
    if (!operations.empty()) transaction(operations);
    operations.clear();
    if (const auto time = std::chrono::steady_clock::now();
        time - last >= std::min<std::chrono::steady_clock::duration>(
                           kPause, std::chrono::seconds(kept_seconds_))) {
      last = time;
      remove_old();
    }
    lock.lock();
  }
}

}  // namespace cellmill::serve
