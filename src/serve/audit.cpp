#include "serve/audit.h"

#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "io/json.h"

namespace cellmill::serve {

void Audit::line(const Request& request, const Response& response, const std::string& who,
                 double seconds) {
  if (!lines_) return;
  const double time =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  // A download's link is a secret.
  const bool link = request.path.starts_with("/download/");
  const io::Json entry{
      {"time", time},
      {"remote", request.remote},
      {"who", who},
      {"method", request.method.substr(0, 16)},
      {"path", link ? "/download/..." : request.path.substr(0, 200)},
      {"status", response.status},
      {"received", request.body.empty() ? request.body_bytes : request.body.size()},
      {"sent", response.bytes()},
      {"ms", seconds * 1e3}};
  std::lock_guard lock(mutex_);
  try {
    lines_->append(entry.dump(-1, ' ', false, io::Json::error_handler_t::replace));
  } catch (const DataError& error) {
    if (!std::exchange(complained_, true)) log::error("audit: {}", error.what());
  }
}

}  // namespace cellmill::serve
