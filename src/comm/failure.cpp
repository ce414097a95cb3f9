#include "comm/failure.h"

#include <c10/util/Exception.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>

#include "base/format.h"
#include "comm/communicator.h"

namespace cellmill::comm {
namespace {

/// JSON string; bytes outside ASCII pass as they are.
std::string quoted(const std::string& text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      json += {'\\', c};
    else if (c == '\n')
      json += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      json += fmt::format("\\u{:04x}", static_cast<int>(c));
    else
      json += c;
  }
  return json + '"';
}

}  // namespace

std::string Failure::encode() const {
  std::string text = std::to_string(static_cast<int>(code));
  for (const std::string* part : {&host, &message, &hint}) (text += '\0') += *part;
  return text;
}

Failure Failure::decode(const std::string& text) {
  Failure failure;
  failure.code = static_cast<Exit>(std::stoi(text));
  std::size_t begin = text.find('\0') + 1;
  for (std::string* part : {&failure.host, &failure.message, &failure.hint}) {
    const std::size_t end = std::min(text.find('\0', begin), text.size());
    *part = text.substr(begin, end - begin);
    begin = std::min(end + 1, text.size());
  }
  return failure;
}

Failure describe(std::exception_ptr error) {
  Failure failure;
  failure.host = host_name();
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    failure.code = e.code();
    failure.message = e.what();
    failure.hint = e.hint();
    if (const auto* shared = dynamic_cast<const SharedError*>(&e)) {
      failure.rank = shared->rank;
      failure.host = shared->host;
    }
  } catch (const c10::Error& e) {
    const std::string text = e.what_without_backtrace();
    failure.message = text.substr(0, text.find('\n'));
  } catch (const std::exception& e) {
    failure.message = e.what();
  } catch (...) {
    failure.message = "an exception that is no std::exception";
  }
  return failure;
}

std::string last_words(const Failure& failure) {
  std::string text = "error: " + failure.message;
  if (!failure.hint.empty()) text += "\n  hint: " + failure.hint;
  if (failure.size > 1)
    text += fmt::format("\n  at rank {} of {}, host {}", failure.rank, failure.size, failure.host);
  if (failure.size > 1 && !failure.phase.empty()) text += ", while " + failure.phase;
  return text;
}

void write_failure_file(const std::string& folder, const Failure& failure) noexcept {
  try {
    const std::string target = folder + "/failure.json";
    const std::string temporary = fmt::format("{}.{}.tmp", target, failure.rank);
    const std::time_t now = std::time(nullptr);
    char time[32];
    std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    std::ofstream(temporary) << fmt::format(
        "{{\"rank\": {}, \"size\": {}, \"host\": {}, \"phase\": {}, \"code\": {},\n"
        " \"message\": {},\n \"hint\": {},\n \"time\": \"{}\"}}\n",
        failure.rank, failure.size, quoted(failure.host), quoted(failure.phase),
        static_cast<int>(failure.code), quoted(failure.message), quoted(failure.hint), time);
    std::rename(temporary.c_str(), target.c_str());
  } catch (...) {
  }
}

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace cellmill::comm
