#include "serving/serve_command.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include "base/format.h"
#include "base/log.h"
#include "base/stop.h"
#include "config/command_line.h"
#include "serve/server.h"
#include "serving/metadata_predictor.h"

namespace cellmill::serving {
namespace {

using config::at_least;
using config::Need;

struct ServeRequest {
  serve::ServeOptions options;
  std::vector<std::string> models;
  std::string device = "auto";
  std::int64_t model_threads = 0;

  void declare(config::CommandLine& line);
  std::vector<std::pair<std::string, std::unique_ptr<serve::Predictor>>> load() const;
};

void ServeRequest::declare(config::CommandLine& line) {
  auto& [server, service, batch, folder, keep_hours, tokens, audit] = options;
  line.option("model", &models,
              "NAME=DIR, DIR a run or a checkpoint: answers to NAME, NAME_predict-metadata and "
              "NAME_reference-conditioning (clients ask for gem-1-sc and gem-1-bulk); repeatable",
              Need::kRequired);
  line.option("jobs", &folder, "folder of the jobs, which survive a restart; one server a folder");
  line.option("keep-hours", &keep_hours, "how long results are kept", Need::kOptional, at_least(0));
  line.option("device", &device, "where the models run", Need::kOptional,
              config::one_of({"auto", "cpu", "cuda"}));
  line.option("model-threads", &model_threads, "of a model's arithmetic; 0: OMP_NUM_THREADS or all",
              Need::kOptional, at_least(0));
  line.option("batch", &batch.rows, "most samples that go through a model together",
              Need::kOptional, at_least(1));
  line.option("wait-ms", &batch.wait_ms, "a model at rest waits so long for more of them",
              Need::kOptional, at_least(0));
  line.heading("Where it listens");
  line.option("address", &server.address, "of this machine; others than itself need --tokens");
  line.option("port", &server.port, "0: any free one", Need::kOptional, config::between(0, 65535));
  line.option("public-url", &service.public_url,
              "begins download links, behind a proxy (default: as the client named the server)");
  line.option("certificate", &server.certificate, "PEM file: serve TLS");
  line.option("private-key", &server.private_key, "of the certificate, PEM file");
  line.option("tokens", &tokens, "file with lines NAME SHA256: a call needs one of these tokens");
  line.option("audit", &audit, "file to which a line is added for every request");
  line.heading("Limits");
  line.option("samples", &service.limits.samples, "of one request", Need::kOptional, at_least(1));
  line.option("queue-samples", &batch.queue_rows, "that may wait for a model; then 429",
              Need::kOptional, at_least(1));
  line.option("connections", &server.connections, "at a time", Need::kOptional, at_least(1));
  line.option("body-memory", &server.body_memory, "MB of request bodies at a time", Need::kOptional,
              at_least(1));
  line.option("threads", &server.threads, "of requests", Need::kOptional, at_least(1));
  line.option("hold-seconds", &service.hold_seconds,
              "a question for a job's state waits so long for its end", Need::kOptional,
              at_least(0));
  line.option("head-seconds", &server.head_seconds, "for the head of a request");
  line.option("body-seconds", &server.body_seconds, "for its body");
}

std::vector<std::pair<std::string, std::unique_ptr<serve::Predictor>>> ServeRequest::load() const {
  std::vector<std::pair<std::string, std::unique_ptr<serve::Predictor>>> loaded;
  for (const std::string& each : models) {
    const std::size_t at = each.find('=');
    if (at == 0 || at == std::string::npos || at + 1 == each.size())
      throw UsageError(fmt::format("--model {}: no NAME=DIR", each),
                       "--model gem-1-sc=runs/factor");
    loaded.emplace_back(each.substr(0, at), load_predictor(each.substr(at + 1), device));
  }
  return loaded;
}

/// Threads that wake up do not interrupt those that compute; they inherit it. sched(7)
void prefer_throughput() {
  const sched_param none{};
  if (sched_getscheduler(0) == SCHED_OTHER) sched_setscheduler(0, SCHED_BATCH, &none);
}

}  // namespace

int serve_command(comm::World& world, const std::vector<std::string>& arguments) {
  ServeRequest request;
  config::CommandLine line(
      "cellmill serve",
      "Answers over HTTP what trained models say of samples: metadata, latents, generated counts,\n"
      "in the protocol of the pysynthbio clients. GET / is a page for people, GET /openapi.json "
      "the\n"
      "description. SIGTERM ends it in order.");
  request.declare(line);
  if (!line.parse(arguments)) {
    if (world.rank == 0) log::say(line.help());
    return 0;
  }
  if (world.size > 1)
    throw UsageError(fmt::format("one process serves, not {}", world.size),
                     "leave mpirun away; srun --ntasks=1");
  serve::check(request.options);
  if (request.model_threads > 0) at::set_num_threads(static_cast<int>(request.model_threads));
  install_stop_signals();
  prefer_throughput();
  serve::serve(request.options, request.load(), [] { return stop_requested() != 0; });
  return 0;
}

}  // namespace cellmill::serving
