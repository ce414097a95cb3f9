#include "serve/http_server.h"

#include <chrono>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "base/log.h"
#include "serve/connection.h"

namespace cellmill::serve {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kTick = std::chrono::milliseconds(50);

std::unique_ptr<asio::ssl::context> tls_of(const ServerOptions& options) {
  if (options.certificate.empty() && options.private_key.empty()) return nullptr;
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                       asio::ssl::context::no_tlsv1_1);
  boost::system::error_code error;
  context->use_certificate_chain_file(options.certificate, error);
  if (error)
    throw DataError({options.certificate, "", "a certificate chain in PEM", ""},
                    "cannot use it: " + error.message());
  context->use_private_key_file(options.private_key, asio::ssl::context::pem, error);
  if (error)
    throw DataError({options.private_key, "", "the certificate's private key in PEM", ""},
                    "cannot use it: " + error.message());
  return context;
}

}  // namespace

struct HttpServer::State {
  State(const ServerOptions& given, Handler& handler)
      : options(given),
        traffic{options, handler},
        tls(tls_of(options)),
        context(static_cast<int>(options.threads)),
        acceptor(context) {}

  void listen() {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error)
      throw UsageError(fmt::format("\"{}\" is no address to listen on", options.address),
                       "127.0.0.1, 0.0.0.0 or ::1");
    const tcp::endpoint end(address, static_cast<std::uint16_t>(options.port));
    acceptor.open(end.protocol());
    acceptor.set_option(asio::socket_base::reuse_address(true));
    acceptor.bind(end, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error)
      throw UsageError(
          fmt::format("cannot listen on {}:{}: {}", options.address, options.port, error.message()),
          "--port 0 takes a free one");
  }

  asio::awaitable<void> accept() {
    asio::steady_timer pause(context);
    while (acceptor.is_open()) {
      boost::system::error_code error;
      Socket socket(asio::make_strand(context));
      co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted || !acceptor.is_open()) co_return;
      if (error) {  // no descriptors left, for one: later
        pause.expires_after(std::chrono::milliseconds(100));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      if (++traffic.connections > options.connections) {
        turn_away(std::move(socket));
        continue;
      }
      const auto strand = socket.get_executor();
      asio::co_spawn(strand, serve_connection(std::move(socket), tls.get(), traffic),
                     [](std::exception_ptr failure) {
                       try {
                         if (failure) std::rethrow_exception(failure);
                       } catch (const std::exception& broken) {
                         log::error("a connection: {}", broken.what());
                       }
                     });
    }
  }

  void turn_away(Socket socket) {
    static constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 2\r\n"
        "Connection: close\r\nContent-Length: 32\r\n\r\n{\"error\":\"too many connections\"}";
    --traffic.connections;
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    if (!tls) socket.write_some(asio::buffer(kFull), ignored);
    socket.close(ignored);
  }

  asio::awaitable<void> beat(const std::function<bool()>& stop_asked) {
    asio::steady_timer timer(context);
    boost::system::error_code ignored;
    while (!stop_asked()) {
      timer.expires_after(kTick);
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
      traffic.handler.tick();
    }
    acceptor.close(ignored);
    traffic.stopping = true;
    traffic.handler.stop();
    // Connections between two requests end by their clients or here.
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(options.stop_seconds);
    while (busy() && std::chrono::steady_clock::now() < end) {
      timer.expires_after(kTick);
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    context.stop();
  }

  bool busy() const { return traffic.connections > 0 && traffic.requests > 0; }

  const ServerOptions options;
  Traffic traffic;
  const std::unique_ptr<asio::ssl::context> tls;
  asio::io_context context;
  tcp::acceptor acceptor;
};

HttpServer::HttpServer(const ServerOptions& options, Handler& handler)
    : state_(std::make_unique<State>(options, handler)) {
  state_->listen();
}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const { return state_->acceptor.local_endpoint().port(); }

void HttpServer::post(std::function<void()> work) { asio::post(state_->context, std::move(work)); }

void HttpServer::run(const std::function<bool()>& stop_asked) {
  asio::co_spawn(state_->context, state_->accept(), asio::detached);
  asio::co_spawn(state_->context, state_->beat(stop_asked), asio::detached);
  std::vector<std::jthread> threads;
  for (std::int64_t i = 1; i < state_->options.threads; ++i)
    threads.emplace_back([this] { state_->context.run(); });
  state_->context.run();
}

}  // namespace cellmill::serve
