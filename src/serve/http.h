#pragma once
// A request and its answer as values, so that what the service says is independent of how bytes
// travel (serve/http_server.h).
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cellmill::serve {

struct Request {
  std::string method, path;  ///< path as it was sent, without its query
  std::string host;          ///< of the Host header
  std::string authorization, accept, content_type, content_encoding;
  std::string remote;  ///< address of the client
  bool secure = false;
  std::uint64_t body_bytes = 0;  ///< as announced, before `body` is read; 0 of a chunked one
  std::string body;
};

/// The body is its parts, one after the other; they may be shared with other answers.
struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::shared_ptr<const std::string>> parts;

  void add(std::string text) {
    parts.push_back(std::make_shared<const std::string>(std::move(text)));
  }
  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const auto& part : parts) sum += part->size();
    return sum;
  }
};

/// Called once, by any thread.
using Reply = std::function<void(Response)>;

/// What is known once the head of a request has come: either it is refused, or so much of a body
/// will be read.
struct Admission {
  std::optional<Response> refusal;
  std::uint64_t body_limit = 0;
};

/// What a server serves. Any thread may call it.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual Admission admit(const Request& head) = 0;
  /// `reply` is called sooner or later, also after the handler has been told to stop.
  virtual void handle(Request request, Reply reply) = 0;
  /// Called about every 50 ms.
  virtual void tick() = 0;
  /// No new work from now on; what waits without working is answered at once.
  virtual void stop() = 0;
  /// After a request, refused or not, for metrics and the audit.
  virtual void served(const Request& request, const Response& response, double seconds) = 0;
};

}  // namespace cellmill::serve
