#pragma once
// One connection: requests and answers in turn, as a coroutine on a strand. Included by
// http_server.cpp and connection.cpp alone.
// clang-format off: Boost 1.74's coroutines use std::exchange without its header
#include <utility>
// clang-format on
#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast.hpp>

#include "serve/http_server.h"

namespace cellmill::serve {

/// Of all connections of a server.
struct Traffic {
  const ServerOptions& options;
  Handler& handler;
  std::atomic<std::int64_t> connections = 0, body_bytes = 0;
  std::atomic<std::int64_t> requests = 0;  ///< between their heads and the ends of their answers
  std::atomic<bool> stopping = false;
};

using Socket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                     boost::asio::strand<boost::asio::io_context::executor_type>>;

/// Serves it to its end; `tls` may be null. Counts itself out of `traffic`.
boost::asio::awaitable<void> serve_connection(Socket socket, boost::asio::ssl::context* tls,
                                              Traffic& traffic);

}  // namespace cellmill::serve
