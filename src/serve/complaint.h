#pragma once
// What is wrong with a request, field by field, in the shape that the protocol's clients print:
// {"error": summary, "errors": [{"path": "inputs[0].counts", "message": "..."}]}.
#include <string>
#include <vector>

#include "serve/http.h"

namespace cellmill::serve {

struct Complaint {
  std::string path;     ///< "inputs[0].counts[3]"; empty: the request as a whole
  std::string message;  ///< ends without a full stop
};

/// Only the first so many are told.
inline constexpr std::size_t kComplaints = 20;

/// 400 if the body is not JSON, else 422.
Response refusal(int status, const std::string& error, const std::vector<Complaint>& complaints);
/// An error without a field: {"error": "..."}.
Response refusal(int status, const std::string& error);
/// 429 or 503, to be tried again after so many seconds.
Response refusal_for_now(int status, const std::string& error, int retry_after);

}  // namespace cellmill::serve
