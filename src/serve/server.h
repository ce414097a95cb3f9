#pragma once
// All settings of a server in one struct, and the server put together.
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "serve/batcher.h"
#include "serve/http_server.h"
#include "serve/predictor.h"
#include "serve/service.h"

namespace cellmill::serve {

struct ServeOptions {
  ServerOptions server;
  ServiceOptions service;
  BatchOptions batch;
  std::string folder = "runs/serve";  ///< jobs.sqlite; made if it is not there
  double keep_hours = 24;             ///< finished jobs
  std::string tokens, audit;          ///< files; none: no tokens, no audit
};

/// Refuses what must not be before any model is loaded: a listener that others reach without
/// tokens, one half of a certificate. Throws UsageError.
void check(const ServeOptions& options);

/// Serves these models until `stop_asked`; says on the log where it listens.
void serve(const ServeOptions& options,
           std::vector<std::pair<std::string, std::unique_ptr<Predictor>>> models,
           const std::function<bool()>& stop_asked);

}  // namespace cellmill::serve
