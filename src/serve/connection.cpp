#include "serve/connection.h"

#include <array>
#include <boost/beast/ssl.hpp>
#include <chrono>

#include "serve/complaint.h"

namespace cellmill::serve {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Executor = asio::strand<asio::io_context::executor_type>;
using Tcp = beast::basic_stream<asio::ip::tcp, Executor>;
using Tls = beast::ssl_stream<Tcp>;
using Parser = http::request_parser<http::string_body>;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kHeadBytes = 16384;
constexpr std::size_t kPiece = 65536;  // what Beast reads of a body at a time, if there is room
constexpr double kDrainSeconds = 5;

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3));
}

// Takes from the server's memory for bodies, and gives back.
class Share {
 public:
  explicit Share(Traffic& traffic) : traffic_(traffic) {}
  ~Share() { traffic_.body_bytes -= taken_; }
  Share(const Share&) = delete;
  Share& operator=(const Share&) = delete;
  bool take(std::int64_t bytes) {
    taken_ += bytes;
    return (traffic_.body_bytes += bytes) <= traffic_.options.body_memory * 1000000;
  }

 private:
  Traffic& traffic_;
  std::int64_t taken_ = 0;
};

// Of something that is counted up, until now.
struct Leaving {
  std::atomic<std::int64_t>& count;
  ~Leaving() { --count; }
};

template <class Stream>
class Connection {
 public:
  Connection(Stream& stream, Tcp& tcp, Traffic& traffic, bool secure)
      : stream_(stream), tcp_(tcp), traffic_(traffic), secure_(secure) {
    boost::system::error_code ignored;
    const auto end = tcp.socket().remote_endpoint(ignored);
    if (!ignored) remote_ = end.address().to_string();
  }

  asio::awaitable<void> run() {
    double seconds = traffic_.options.head_seconds;
    while (!traffic_.stopping && co_await one(seconds)) seconds = traffic_.options.idle_seconds;
  }

 private:
  auto token() { return asio::redirect_error(asio::use_awaitable, error_); }

  // One request and its answer; whether another may follow.
  asio::awaitable<bool> one(double head_seconds) {
    Parser parser;
    parser.header_limit(kHeadBytes);
    parser.body_limit(UINT64_MAX);  // until it is admitted; "none" refuses all in Boost 1.74
    tcp_.expires_after(milliseconds(head_seconds));
    co_await http::async_read_header(stream_, buffer_, parser, token());
    if (error_ == http::error::end_of_stream || error_ == asio::error::eof ||
        error_ == beast::error::timeout || error_ == asio::error::connection_reset)
      co_return false;
    const auto begin = Clock::now();
    ++traffic_.requests;
    const Leaving after{traffic_.requests};
    Request request;
    Response response;
    bool keep = false;
    if (error_) {
      const bool large = error_ == http::error::header_limit;
      response = refusal(large ? 431 : 400,
                         large ? "the request's head is too large" : "this is no HTTP request");
      request.remote = remote_;
    } else {
      request = head_of(parser);
      Admission admission = traffic_.handler.admit(request);
      keep = parser.keep_alive() && !traffic_.stopping;
      Share share(traffic_);
      if (!admission.refusal)
        admission.refusal = co_await read_body(parser, admission.body_limit, share);
      if (gone_) co_return false;
      if (admission.refusal) {
        response = std::move(*admission.refusal);
        keep = keep && parser.is_done();
      } else {
        request.body = std::move(parser.get().body());
        request.body_bytes = request.body.size();
        response = co_await answer_of(request);
      }
    }
    const bool sent = co_await write(response, keep, parser.get().version() == 10 ? 10 : 11);
    traffic_.handler.served(request, response,
                            std::chrono::duration<double>(Clock::now() - begin).count());
    if (sent && !keep) co_await drain();
    co_return sent&& keep;
  }

  Request head_of(Parser& parser) {
    const auto& message = parser.get();
    auto text = [&](http::field name) { return std::string(message[name]); };
    Request request;
    request.method = std::string(message.method_string());
    const std::string target(message.target());
    request.path = target.substr(0, target.find('?'));
    request.host = text(http::field::host);
    request.authorization = text(http::field::authorization);
    request.accept = text(http::field::accept);
    request.content_type = text(http::field::content_type);
    request.content_encoding = text(http::field::content_encoding);
    request.remote = remote_;
    request.secure = secure_;
    request.body_bytes = parser.content_length().value_or(0);
    return request;
  }

  // A refusal if it is too large or comes too slowly. Chunked bodies grow piece by piece, so that
  // what is announced costs nothing.
  asio::awaitable<std::optional<Response>> read_body(Parser& parser, std::uint64_t limit,
                                                     Share& share) {
    if (parser.is_done()) co_return std::nullopt;
    if (parser.content_length() && *parser.content_length() > limit) co_return too_large(limit);
    parser.body_limit(limit);
    const auto announced = static_cast<std::int64_t>(parser.content_length().value_or(limit));
    if (!share.take(announced)) co_return refusal_for_now(503, "too many bodies are being read", 2);
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      http::response<http::empty_body> go_on(http::status::continue_, 11);
      tcp_.expires_after(milliseconds(traffic_.options.answer_seconds));
      co_await http::async_write(stream_, go_on, token());
    }
    tcp_.expires_after(milliseconds(traffic_.options.body_seconds));
    buffer_.reserve(kPiece);
    co_await http::async_read(stream_, buffer_, parser, token());
    if (!error_) co_return std::nullopt;
    if (error_ == http::error::body_limit) co_return too_large(limit);
    if (error_ == beast::error::timeout || error_ == asio::error::eof ||
        error_ == http::error::partial_message || error_ == asio::error::connection_reset)
      gone_ = true;
    co_return refusal(400, "the body is no HTTP");
  }

  static Response too_large(std::uint64_t limit) {
    return refusal(413, "Request too large",
                   {{"", "the body may have " + std::to_string(limit) + " bytes"}});
  }

  asio::awaitable<Response> answer_of(Request& request) {
    tcp_.expires_never();
    // Captures that need no destructor: GCC 12 runs those of a temporary beside co_await twice.
    const auto ask = [this, &request](auto finish) {
      auto shared = std::make_shared<decltype(finish)>(std::move(finish));
      const auto executor = tcp_.get_executor();
      Request copy = request;
      copy.body = std::move(request.body);
      traffic_.handler.handle(std::move(copy), [shared, executor](Response response) {
        asio::post(executor, [shared, response = std::move(response)]() mutable {
          (*shared)(std::move(response));
        });
      });
    };
    co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(Response)>(
        ask, asio::use_awaitable);
  }

  asio::awaitable<bool> write(const Response& response, bool keep, unsigned version) {
    http::response<http::empty_body> head(static_cast<http::status>(response.status), version);
    head.set(http::field::server, "cellmill");
    head.set(http::field::content_type, response.content_type);
    head.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) head.set(name, value);
    head.keep_alive(keep);
    head.content_length(response.bytes());
    http::response_serializer<http::empty_body> serializer(head);
    tcp_.expires_after(milliseconds(traffic_.options.answer_seconds));
    co_await http::async_write_header(stream_, serializer, token());
    if (error_) co_return false;
    std::vector<asio::const_buffer> parts;
    for (const auto& part : response.parts) parts.emplace_back(part->data(), part->size());
    co_await asio::async_write(stream_, parts, token());
    co_return !error_;
  }

  // A client that still sends would lose the answer if the connection were closed on it.
  asio::awaitable<void> drain() {
    boost::system::error_code ignored;
    if (!secure_) tcp_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    std::array<char, 65536> bytes;
    tcp_.expires_after(milliseconds(kDrainSeconds));
    do co_await stream_.async_read_some(asio::buffer(bytes), token());
    while (!error_);
  }

  Stream& stream_;
  Tcp& tcp_;
  Traffic& traffic_;
  const bool secure_;
  std::string remote_;
  beast::flat_buffer buffer_;
  boost::system::error_code error_;
  bool gone_ = false;
};

}  // namespace

asio::awaitable<void> serve_connection(Socket socket, asio::ssl::context* tls, Traffic& traffic) {
  const Leaving after{traffic.connections};
  boost::system::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (!tls) {
    Tcp stream(std::move(socket));
    Connection<Tcp> connection(stream, stream, traffic, false);
    co_await connection.run();
    stream.close();
    co_return;
  }
  Tls stream(Tcp(std::move(socket)), *tls);
  Tcp& tcp = beast::get_lowest_layer(stream);
  boost::system::error_code error;
  tcp.expires_after(milliseconds(traffic.options.head_seconds));
  co_await stream.async_handshake(asio::ssl::stream_base::server,
                                  asio::redirect_error(asio::use_awaitable, error));
  if (!error) {
    Connection<Tls> connection(stream, tcp, traffic, true);
    co_await connection.run();
    tcp.expires_after(std::chrono::seconds(2));
    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, error));
  }
  tcp.close();
}

}  // namespace cellmill::serve
