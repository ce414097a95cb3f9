#pragma once
// The protocol: which address means what. Asynchronous prediction (start, status, download by an
// unguessable link), the synchronous mode (an Arrow stream, for who accepts one), models, examples,
// health, metrics, the API's description and a page for people. Answers hold no path of the
// server's and no trace. Any thread may call.
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "serve/audit.h"
#include "serve/http.h"
#include "serve/jobs.h"
#include "serve/tokens.h"

namespace cellmill::serve {

struct ServiceOptions {
  double hold_seconds = 20;  ///< a status question waits so long for its answer
  QueryLimits limits;
  std::string public_url;  ///< begins download links; empty: as the client named the server
};

class Service final : public Handler {
 public:
  Service(ServiceOptions options, ServedModels& models, JobStore& store, Tokens tokens,
          Metrics& metrics, Audit& audit);
  /// `elsewhere` runs work on the server's threads.
  void start(Jobs::Elsewhere elsewhere);

  Admission admit(const Request& head) override;
  void handle(Request request, Reply reply) override;
  void tick() override;
  void stop() override;
  void served(const Request& request, const Response& response, double seconds) override;

 private:
  struct Route;
  Route route(const Request& request) const;
  void predict(const Offer& offer, Request request, Reply reply);
  void predict_now(const Offer& offer, Query query, Reply reply);
  void status(const std::string& id, const Request& request, Reply reply);
  void download(const std::string& link, Reply reply);
  Response models() const;
  Response genes(const Offer& offer) const;
  Response ready() const;
  Response metrics_text();

  const ServiceOptions options_;
  ServedModels& models_;
  JobStore& store_;
  const Tokens tokens_;
  Metrics& metrics_;
  Audit& audit_;
  Jobs jobs_;
  Jobs::Elsewhere elsewhere_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace cellmill::serve
