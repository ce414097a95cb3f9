#pragma once
// Who asked what, a JSON object a line: time, client, token's name, method, address, status, bytes,
// milliseconds. Into a file where one is named. Any thread.
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "io/files.h"
#include "serve/http.h"

namespace cellmill::serve {

class Audit {
 public:
  Audit() = default;
  /// Throws DataError (74).
  explicit Audit(const std::filesystem::path& file) : lines_(file) {}
  /// A line that cannot be written is logged, once, and costs no request.
  void line(const Request& request, const Response& response, const std::string& who,
            double seconds);

 private:
  std::mutex mutex_;
  std::optional<io::LineFile> lines_;
  bool complained_ = false;
};

}  // namespace cellmill::serve
