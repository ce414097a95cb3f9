#include "serve/complaint.h"

#include "io/json.h"

namespace cellmill::serve {
namespace {

// Texts of a request come back in messages, and may hold any byte.
std::string dumped(const io::Json& json) {
  return json.dump(-1, ' ', false, io::Json::error_handler_t::replace);
}

}  // namespace

Response refusal(int status, const std::string& error, const std::vector<Complaint>& complaints) {
  io::Json body{{"error", error}, {"errors", io::Json::array()}};
  for (const Complaint& each : complaints) {
    if (body["errors"].size() == kComplaints) break;
    body["errors"].push_back({{"path", each.path}, {"message", each.message}});
  }
  Response response;
  response.status = status;
  response.add(dumped(body));
  return response;
}

Response refusal(int status, const std::string& error) {
  Response response;
  response.status = status;
  response.add(dumped(io::Json{{"error", error}}));
  return response;
}

Response refusal_for_now(int status, const std::string& error, int retry_after) {
  Response response = refusal(status, error);
  response.headers.emplace_back("Retry-After", std::to_string(retry_after));
  return response;
}

}  // namespace cellmill::serve
