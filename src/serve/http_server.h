#pragma once
// HTTP/1.1 over TCP or TLS, for a Handler: bytes in, bytes out, and nobody may hold a connection
// for longer than he pays for. Limits: connections, bytes of a head, seconds for a head, for a
// body, for an answer and between requests, bytes of all bodies being read. A refused request is
// answered before its body is read. Library: Boost.Beast and Boost.Asio.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "serve/http.h"

namespace cellmill::serve {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::int64_t port = 8000;  ///< 0: any free one
  std::int64_t threads = 2;
  std::int64_t connections = 512;
  double head_seconds = 10, body_seconds = 60, answer_seconds = 120, idle_seconds = 30;
  std::int64_t body_memory = 512;        ///< MB of bodies at a time
  std::string certificate, private_key;  ///< PEM files; both or none
  double stop_seconds = 20;              ///< for answers on their way when it stops
};

class HttpServer {
 public:
  /// Listens. Throws UsageError for an address that is none or is taken, DataError for a
  /// certificate.
  HttpServer(const ServerOptions& options, Handler& handler);
  ~HttpServer();

  std::uint16_t port() const;
  /// Work on the server's threads; from any thread, also before `run`.
  void post(std::function<void()> work);
  /// Serves until `stop_asked` (looked at every 50 ms) is true: no more connections, `handler`
  /// stopped, what is on its way answered, and back.
  void run(const std::function<bool()>& stop_asked);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cellmill::serve
