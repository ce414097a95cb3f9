#include "comm/failure.h"

#include <c10/util/Exception.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/format.h"
#include "comm/activity.h"
#include "comm/communicator.h"
#include "comm/symbols.h"
#include "comm/throw_place.h"

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
  std::string text = fmt::format("{} {} {}", static_cast<int>(code), process, step);
  for (const std::string* part : {&host, &phase, &message, &hint}) (text += '\0') += *part;
  for (const auto& line : stack) (text += '\0') += line;
  return text;
}

Failure Failure::decode(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find('\0', begin);
    parts.push_back(text.substr(begin, end - begin));
  }
  if (parts.size() < 5)
    throw InternalError("a failure of " + std::to_string(parts.size()) + " parts");
  Failure failure;
  int code = 0;
  std::istringstream(parts[0]) >> code >> failure.process >> failure.step;
  failure.code = static_cast<Exit>(code);
  failure.host = parts[1];
  failure.phase = parts[2];
  failure.message = parts[3];
  failure.hint = parts[4];
  failure.stack.assign(parts.begin() + 5, parts.end());
  return failure;
}

Failure describe(std::exception_ptr error) {
  const Activity now = activity();
  Failure failure;
  failure.host = host_name();
  failure.process = getpid();
  failure.phase = now.name;
  failure.step = now.step;
  try {
    std::rethrow_exception(error);
  } catch (const SharedError& e) {
    return e.failure;
  } catch (const Error& e) {
    failure.code = e.code();
    failure.message = e.what();
    failure.hint = e.hint();
  } catch (const c10::Error& e) {
    const std::string text = e.what_without_backtrace();
    failure.message = text.substr(0, text.find('\n'));
  } catch (const std::exception& e) {
    failure.message = e.what();
  } catch (...) {
    failure.message = "an exception that is no std::exception";
  }
  failure.stack = named(throw_place(error));
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

void write_failure_file(const std::string& path, const Failure& failure) noexcept {
  try {
    const std::string temporary = fmt::format("{}.{}.{}.tmp", path, failure.rank, getpid());
    const std::time_t now = std::time(nullptr);
    char time[32];
    std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    std::string stack;
    for (const auto& line : failure.stack)
      stack += (stack.empty() ? "\n  " : ",\n  ") + quoted(line);
    std::filesystem::create_directories(std::filesystem::absolute(path).parent_path());
    std::ofstream(temporary) << fmt::format(
        "{{\"rank\": {}, \"size\": {}, \"host\": {}, \"pid\": {}, \"phase\": {}, \"step\": {}, "
        "\"code\": {},\n \"message\": {},\n \"hint\": {},\n \"time\": \"{}\",\n \"backtrace\": "
        "[{}]}}\n",
        failure.rank, failure.size, quoted(failure.host), failure.process, quoted(failure.phase),
        failure.step, static_cast<int>(failure.code), quoted(failure.message), quoted(failure.hint),
        time, stack);
    std::error_code refused;
    std::filesystem::create_hard_link(temporary, path, refused);
    if (refused && !std::filesystem::exists(path)) std::filesystem::copy_file(temporary, path);
    std::filesystem::remove(temporary);
  } catch (...) {
  }
}

std::string host_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace cellmill::comm
