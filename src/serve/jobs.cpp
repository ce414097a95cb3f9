#include "serve/jobs.h"

#include <atomic>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "serve/tokens.h"

namespace cellmill::serve {
namespace {

constexpr const char* kBroken = "the model could not answer";

// What a client may read of it: words of our own errors, without the hint.
std::string reason(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const DataError& known) {
    log::error("model: {}", known.what());  // names files
  } catch (const UsageError& known) {
    return known.what();
  } catch (const std::exception& other) {
    log::error("model: {}", other.what());
  } catch (...) {
    log::error("model: an unknown error");
  }
  return kBroken;
}

bool is_stop(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Batcher::Stopped&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

Jobs::Jobs(JobStore& store, const ServedModels& models, Metrics& metrics, const QueryLimits& limits)
    : store_(store), models_(models), metrics_(metrics), limits_(limits) {}

void Jobs::start(Elsewhere elsewhere) {
  elsewhere_ = std::move(elsewhere);
  std::size_t again = 0;
  for (StoredJob& job : store_.take_unfinished()) {
    {
      std::lock_guard lock(mutex_);
      live_[job.id];
      links_[job.id] = job.link;
    }
    const Offer* offer = models_.find(job.model);
    if (!offer) {
      fail(job.id, job.link, "the server was restarted without the model " + job.model);
      continue;
    }
    ParsedQuery parsed = parse_query(job.body, offer->task, offer->model->facts, limits_);
    if (!parsed.complaints.empty()) {
      fail(job.id, job.link,
           "the server was restarted with another model " + job.model + ": " +
               parsed.complaints[0].path + " " + parsed.complaints[0].message);
      continue;
    }
    ask(job.id, *offer, std::move(parsed.query));
    ++again;
  }
  if (again) log::info("{} jobs of before the restart are asked again", again);
}

void Jobs::submit(const Offer& offer, Query query, std::string body, Accepted accepted) {
  StoredJob job{Tokens::unguessable(), Tokens::unguessable(), offer.id, std::move(body)};
  const std::string id = job.id;
  {
    std::lock_guard lock(mutex_);
    live_[id];
    links_[id] = job.link;
  }
  // While the disk takes jobs the model need not wait for it; once it has refused one, it must.
  const bool at_once = store_.takes_jobs();
  const auto wanted = std::make_shared<std::atomic<bool>>(true);
  const std::size_t size = query.size();
  auto later = at_once ? nullptr : std::make_shared<Query>(std::move(query));
  store_.accept(std::move(job), [this, id, &offer, wanted, size, later,
                                 accepted = std::move(accepted)](std::exception_ptr error) {
    if (error) {
      *wanted = false;
      if (later) offer.model->batcher.release(size);
      {
        std::lock_guard lock(mutex_);
        live_.erase(id);
        links_.erase(id);
      }
      return accepted(std::nullopt);
    }
    metrics_.job("accepted");
    if (later) ask(id, offer, std::move(*later), wanted);
    accepted(id);
  });
  if (at_once) ask(id, offer, std::move(query), wanted);
}

void Jobs::ask(const std::string& id, const Offer& offer, Query query, Batcher::Wanted wanted) {
  std::string link;
  {
    std::lock_guard lock(mutex_);
    link = links_[id];
  }
  offer.model->batcher.push(
      std::move(query.rows),
      [this, id, link, &offer, metadata = std::move(query.metadata)](
          std::vector<Prediction> predictions, std::exception_ptr error) {
        if (error) {
          if (!is_stop(error)) fail(id, link, reason(error));  // else it waits for the next start
          return;
        }
        auto shared = std::make_shared<std::vector<Prediction>>(std::move(predictions));
        elsewhere_([this, id, link, &offer, metadata, shared] {
          try {
            const AnswerWriter& writer = offer.model->writer;
            store_.finish(id, writer.head(), writer.tail(offer.task, metadata, *shared),
                          [this, id, link](std::exception_ptr failed) {
                            if (failed) return fail(id, link, "the answer could not be stored");
                            finished(id, {JobState::kReady, link, ""});
                          });
          } catch (const Error&) {
            fail(id, link, reason(std::current_exception()));
          }
        });
      },
      std::move(wanted));
}

void Jobs::fail(const std::string& id, const std::string& link, const std::string& message) {
  store_.fail(id, message, [this, id, link, message](std::exception_ptr error) {
    if (error) {
      std::lock_guard lock(mutex_);
      unstored_[id] = message;
    }
    finished(id, {JobState::kFailed, link, message});
  });
}

void Jobs::finished(const std::string& id, JobView view) {
  std::vector<Held> held;
  {
    std::lock_guard lock(mutex_);
    if (const auto job = live_.find(id); job != live_.end()) {
      held = std::move(job->second);
      live_.erase(job);
      metrics_.job(view.state == JobState::kReady ? "ready" : "failed");
    }
    links_.erase(id);
  }
  for (Held& each : held) each.answered(view);
}

void Jobs::status(const std::string& id, double hold, Answered answered) {
  std::optional<JobView> view;
  {
    std::lock_guard lock(mutex_);
    if (const auto job = live_.find(id); job != live_.end() && !stopping_) {
      const auto until = std::chrono::steady_clock::now() +
                         std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                             std::chrono::duration<double>(hold));
      job->second.push_back({until, std::move(answered)});
      return;
    }
    if (const auto failed = unstored_.find(id); failed != unstored_.end())
      view = JobView{JobState::kFailed, "", failed->second};
  }
  if (view) return answered(std::move(view));
  store_.find(id, std::move(answered));
}

void Jobs::release(Time until) {
  std::vector<Answered> due;
  {
    std::lock_guard lock(mutex_);
    for (auto& [id, held] : live_) {
      const auto late = std::partition(held.begin(), held.end(),
                                       [&](const Held& each) { return each.until > until; });
      for (auto each = late; each != held.end(); ++each) due.push_back(std::move(each->answered));
      held.erase(late, held.end());
    }
  }
  for (Answered& each : due) each(JobView{});
}

void Jobs::tick() { release(std::chrono::steady_clock::now()); }

void Jobs::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  release(Time::max());
}

std::size_t Jobs::unfinished() const {
  std::lock_guard lock(mutex_);
  return live_.size();
}

}  // namespace cellmill::serve
