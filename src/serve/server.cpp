#include "serve/server.h"

#include <csignal>

#include "base/error.h"
#include "base/log.h"
#include "io/files.h"

namespace cellmill::serve {
namespace {

bool loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1" || address == "localhost";
}

}  // namespace

void check(const ServeOptions& options) {
  if (options.server.certificate.empty() != options.server.private_key.empty())
    throw UsageError("TLS needs a certificate and its private key",
                     "--certificate FILE --private-key FILE");
  if (!loopback(options.server.address) && options.tokens.empty())
    throw UsageError(
        "others than this machine reach " + options.server.address + ": that needs tokens",
        "--tokens FILE with lines NAME SHA256, or --address 127.0.0.1");
  if (options.service.limits.samples > options.batch.queue_rows)
    throw UsageError("a request may have more samples than the queue", "raise --queue-samples");
}

void serve(const ServeOptions& options,
           std::vector<std::pair<std::string, std::unique_ptr<Predictor>>> models,
           const std::function<bool()>& stop_asked) {
  check(options);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of the write, told as such
  const Tokens tokens = options.tokens.empty() ? Tokens() : Tokens(options.tokens);
  std::error_code failure;
  io::fs::create_directories(options.folder, failure);
  if (failure)
    throw DataError({options.folder, "", "", ""}, "cannot make it: " + failure.message(), "",
                    Exit::kIo);
  // Nothing of a job may be asked once what it is asked of is gone: the store goes first, then the
  // server whose threads write answers, then what both call.
  Metrics metrics;
  ServedModels served;
  for (auto& [name, predictor] : models)
    served.add(name, std::move(predictor), options.batch, metrics);
  std::unique_ptr<Audit> audit =
      options.audit.empty() ? std::make_unique<Audit>() : std::make_unique<Audit>(options.audit);
  auto store = std::make_unique<JobStore>(io::fs::path(options.folder) / "jobs.sqlite",
                                          static_cast<std::int64_t>(options.keep_hours * 3600));
  Service service(options.service, served, *store, tokens, metrics, *audit);
  HttpServer server(options.server, service);
  service.start([&server](std::function<void()> work) { server.post(std::move(work)); });
  log::info("listening on http{}://{}:{}{}", options.server.certificate.empty() ? "" : "s",
            options.server.address, server.port(), tokens.empty() ? ", without tokens" : "");
  server.run(stop_asked);
  for (ServedModel& model : served.models()) model.batcher.close();
  store.reset();
  log::info("stopped");
}

}  // namespace cellmill::serve
