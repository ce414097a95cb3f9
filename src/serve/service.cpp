#include "serve/service.h"

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "io/json.h"
#include "serve/arrow_stream.h"
#include "serve/complaint.h"
#include "serve/openapi.h"
#include "serve/page.h"

namespace cellmill::serve {
namespace {

constexpr const char* kModels = "/api/models";
constexpr const char* kQueries = "/api/model-queries/";
constexpr const char* kDownload = "/download/";
constexpr const char* kStopping = "the server is stopping";

Response of_json(const io::Json& json) {
  Response response;
  response.add(json.dump(-1, ' ', false, io::Json::error_handler_t::replace));
  return response;
}

Response of_text(const char* type, std::string text) {
  Response response;
  response.content_type = type;
  response.add(std::move(text));
  return response;
}

// The text between them, if `path` has both.
std::optional<std::string> between(const std::string& path, std::string_view begin,
                                   std::string_view end) {
  if (!path.starts_with(begin) || !path.ends_with(end) || path.size() <= begin.size() + end.size())
    return {};
  const std::string middle = path.substr(begin.size(), path.size() - begin.size() - end.size());
  return middle.find('/') == std::string::npos ? std::optional(middle) : std::nullopt;
}

bool plain_host(const std::string& host) {
  return !host.empty() && host.size() <= 255 &&
         host.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]_") ==
             std::string::npos;
}

}  // namespace

/// Which of the addresses, by a fixed name (for metrics), and what varies in it.
struct Service::Route {
  const char* name = "none";  // none: no such address
  const char* method = "GET";
  bool token = false;
  std::string id = {};
};

Service::Service(ServiceOptions options, ServedModels& models, JobStore& store, Tokens tokens,
                 Metrics& metrics, Audit& audit)
    : options_(std::move(options)),
      models_(models),
      store_(store),
      tokens_(std::move(tokens)),
      metrics_(metrics),
      audit_(audit),
      jobs_(store, models, metrics, options_.limits) {}

void Service::start(Jobs::Elsewhere elsewhere) {
  elsewhere_ = elsewhere;
  jobs_.start(std::move(elsewhere));
}

Service::Route Service::route(const Request& request) const {
  const std::string& path = request.path;
  if (page_file(path)) return {"page"};
  if (path == "/healthz") return {"healthz"};
  if (path == "/readyz") return {"readyz"};
  if (path == "/openapi.json") return {"openapi"};
  if (path == "/metrics") return {"metrics", "GET", true, ""};
  if (path == kModels) return {"models", "GET", true, ""};
  const std::string under = std::string(kModels) + "/";
  if (auto id = between(path, under, "/example-query")) return {"example", "GET", true, *id};
  if (auto id = between(path, under, "/genes")) return {"genes", "GET", true, *id};
  if (auto id = between(path, under, "/predict")) return {"predict", "POST", true, *id};
  if (auto id = between(path, kQueries, "/status")) return {"status", "GET", true, *id};
  if (auto id = between(path, kDownload, ".json")) return {"download", "GET", false, *id};
  return {"none", "GET", path.starts_with("/api/"), ""};
}

Admission Service::admit(const Request& head) {
  const Route route = this->route(head);
  if (route.token && !tokens_.who(head.authorization)) {
    Response denied = refusal(401, "a valid token is needed: Authorization: Bearer TOKEN");
    denied.headers.emplace_back("WWW-Authenticate", "Bearer");
    return {std::move(denied)};
  }
  if (std::string_view(route.name) == "none") return {refusal(404, "there is no such address")};
  if (head.method != route.method) {
    Response wrong = refusal(405, fmt::format("this address takes {}", route.method));
    wrong.headers.emplace_back("Allow", route.method);
    return {std::move(wrong)};
  }
  if (std::string_view(route.name) == "status" && options_.public_url.empty() &&
      !plain_host(head.host))
    return {refusal(400, "the Host header names no host")};
  if (std::string_view(route.name) != "predict") return {std::nullopt, 65536};
  const Offer* offer = models_.find(route.id);
  if (!offer) return {refusal(404, "there is no such model")};
  if (stopping_) return {refusal_for_now(503, kStopping, 5)};
  if (!head.content_encoding.empty() && head.content_encoding != "identity")
    return {refusal(415, "the body must come without a Content-Encoding")};
  const std::uint64_t limit = body_limit(offer->model->facts, options_.limits);
  if (head.body_bytes > limit)
    return {
        refusal(413, "Request too large",
                {{"", fmt::format("the body may have {} bytes: {} samples of {} genes; found {}",
                                  limit, options_.limits.samples,
                                  offer->model->facts.gene_order.size(), head.body_bytes)}})};
  return {std::nullopt, limit};
}

void Service::handle(Request request, Reply reply) {
  const Route route = this->route(request);
  const std::string_view name = route.name;
  const bool of_model = name == "example" || name == "genes" || name == "predict";
  const Offer* offer = of_model ? models_.find(route.id) : nullptr;
  if (of_model && !offer) return reply(refusal(404, "there is no such model"));
  if (name == "predict") return predict(*offer, std::move(request), std::move(reply));
  if (name == "status") return status(route.id, request, std::move(reply));
  if (name == "download") return download(route.id, std::move(reply));
  if (name == "models") return reply(models());
  if (name == "example")
    return reply(of_text("application/json", example_query(offer->task, offer->model->facts)));
  if (name == "genes") return reply(genes(*offer));
  if (name == "readyz") return reply(ready());
  if (name == "metrics") return reply(metrics_text());
  if (name == "openapi")
    return reply(of_text("application/json", openapi(models_, options_.limits)));
  if (name == "page") return reply(page_answer(*page_file(request.path)));
  reply(of_json({{"status", "ok"}}));
}

void Service::predict(const Offer& offer, Request request, Reply reply) {
  ParsedQuery parsed = parse_query(request.body, offer.task, offer.model->facts, options_.limits);
  if (!parsed.complaints.empty()) return reply(refusal(parsed));
  if (!offer.model->batcher.reserve(parsed.query.size())) {
    metrics_.job("refused");
    const int seconds = 1 + static_cast<int>(offer.model->batcher.expected_wait());
    return reply(refusal_for_now(429, "too many samples wait already: try again later",
                                 std::min(seconds, 60)));
  }
  if (request.accept.find(kArrowType) != std::string::npos)
    return predict_now(offer, std::move(parsed.query), std::move(reply));
  jobs_.submit(offer, std::move(parsed.query), std::move(request.body),
               [reply = std::move(reply)](std::optional<std::string> id) {
                 reply(id ? of_json({{"modelQueryId", *id}})
                          : refusal_for_now(503, "the job could not be stored", 10));
               });
}

void Service::predict_now(const Offer& offer, Query query, Reply reply) {
  offer.model->batcher.push(
      std::move(query.rows),
      [this, &offer, metadata = std::move(query.metadata), reply = std::move(reply)](
          std::vector<Prediction> predictions, std::exception_ptr error) {
        auto shared = std::make_shared<std::vector<Prediction>>(std::move(predictions));
        elsewhere_([&offer, metadata, reply, shared, error]() mutable {
          try {
            if (error) std::rethrow_exception(error);
            if (offer.task == Task::kPredict)
              for (const Prediction& each : *shared)
                metadata.push_back(offer.model->writer.metadata(each));
            reply(of_text(kArrowType,
                          arrow_stream(offer.task, offer.model->facts, metadata, *shared)));
          } catch (const Batcher::Stopped&) {
            reply(refusal_for_now(503, kStopping, 5));
          } catch (const std::exception& failure) {
            log::error("model {}: {}", offer.id, failure.what());
            reply(refusal(500, "the model could not answer"));
          }
        });
      });
}

void Service::status(const std::string& id, const Request& request, Reply reply) {
  const bool host = options_.public_url.empty() && plain_host(request.host);
  const std::string base =
      host ? (request.secure ? "https://" : "http://") + request.host : options_.public_url;
  jobs_.status(
      id, options_.hold_seconds, [base, reply = std::move(reply)](std::optional<JobView> view) {
        if (!view) return reply(refusal(404, "there is no such query, or it was too long ago"));
        if (view->state == JobState::kReady)
          return reply(of_json(
              {{"status", "ready"}, {"downloadUrl", base + kDownload + view->link + ".json"}}));
        if (view->state == JobState::kFailed)
          return reply(of_json({{"status", "failed"}, {"message", view->message}}));
        reply(of_json({{"status", "running"}}));
      });
}

void Service::download(const std::string& link, Reply reply) {
  store_.fetch(link, [reply = std::move(reply)](std::optional<JobResult> result) {
    if (!result) return reply(refusal(404, "there is no such result, or it was too long ago"));
    Response response;
    response.headers.emplace_back("Cache-Control", "private, no-store");
    response.parts = {result->head, result->tail};
    reply(std::move(response));
  });
}

Response Service::models() const {
  io::Json list = io::Json::array();
  for (const Offer& offer : models_.offers())
    list.push_back({{"model_id", offer.id},
                    {"model_version", offer.model->facts.version},
                    {"genes", offer.model->facts.gene_order.size()}});
  return of_json({{"models", std::move(list)}});
}

Response Service::genes(const Offer& offer) const {
  return of_json({{"gene_order", offer.model->facts.gene_order}});
}

Response Service::ready() const {
  if (stopping_) return refusal_for_now(503, kStopping, 5);
  return of_json({{"status", "ready"}, {"models", models_.offers().size()}});
}

Response Service::metrics_text() {
  for (const ServedModel& model : models_.models())
    metrics_.gauge("cellmill_queue_samples", fmt::format("model=\"{}\"", model.name),
                   static_cast<double>(model.batcher.waiting_rows()));
  metrics_.gauge("cellmill_jobs_unfinished", "", static_cast<double>(jobs_.unfinished()));
  metrics_.gauge("cellmill_store_operations_waiting", "", static_cast<double>(store_.waiting()));
  return of_text("text/plain; version=0.0.4; charset=utf-8", metrics_.text());
}

void Service::tick() { jobs_.tick(); }

void Service::stop() {
  stopping_ = true;
  for (ServedModel& model : models_.models()) model.batcher.stop();
  jobs_.stop();
}

void Service::served(const Request& request, const Response& response, double seconds) {
  const Route route = this->route(request);
  metrics_.request(route.name, response.status, seconds, response.bytes());
  audit_.line(request, response, tokens_.who(request.authorization).value_or("denied"), seconds);
}

}  // namespace cellmill::serve
