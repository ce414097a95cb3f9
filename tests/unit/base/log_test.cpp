#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/error.h"

using namespace cellmill;
namespace fs = std::filesystem;

namespace {

fs::path temporary(const std::string& name) {
  return fs::temp_directory_path() / ("cellmill_log_" + std::to_string(getpid()) + name);
}

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// A text with every digit as 9.
std::string shape(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); }, '9');
  return text;
}

// What `talk` writes to a standard stream.
std::string caught(int stream, const std::function<void()>& talk) {
  const fs::path path = temporary("_stream");
  std::fflush(nullptr);
  const int saved = dup(stream);
  std::FILE* file = std::fopen(path.c_str(), "w");
  dup2(fileno(file), stream);
  talk();
  std::fflush(nullptr);
  dup2(saved, stream);
  close(saved);
  std::fclose(file);
  const std::string text = content(path);
  fs::remove(path);
  return text;
}

}  // namespace

CATCH_TEST_CASE("the console gets info and above, with the rank once it is known", "[log]") {
  const std::string text = caught(STDERR_FILENO, [] {
    log::debug("quiet");
    log::info("before {}", 1);
    log::start(0);
    log::warn("after");
  });
  CATCH_CHECK(shape(text) == "99:99:99 info before 9\n99:99:99 warning [9] after\n");
}

CATCH_TEST_CASE("a file gets every line, debug too, and what was said before it was there",
                "[log]") {
  const fs::path path = temporary(".log");
  caught(STDERR_FILENO, [] { log::warn("early"); });
  log::also_to(path);
  caught(STDERR_FILENO, [] { log::debug("detail {}", 7); });
  log::flush();
  const std::string text = content(path);
  fs::remove(path);
  CATCH_CHECK_THAT(shape(text),
                   Catch::Matchers::EndsWith("9999-99-99T99:99:99.999 warning early\n"
                                             "9999-99-99T99:99:99.999 debug detail 9\n"));
}

CATCH_TEST_CASE("a log that cannot be written is an error", "[log]") {
  try {
    log::also_to("/proc/nowhere/rank-0.log");
    CATCH_FAIL("accepted");
  } catch (const DataError& e) {
    CATCH_CHECK(e.code() == Exit::kIo);
    CATCH_CHECK(e.text().starts_with("/proc/nowhere/rank-0.log: cannot write the log: "));
  }
}

CATCH_TEST_CASE("a status line makes way for log lines and comes back", "[log]") {
  const std::string text = caught(STDERR_FILENO, [] {
    log::status("50%");
    log::error("oops");
    log::status("");
    log::error("done");
  });
  CATCH_CHECK(text.starts_with("50%\r\033[K"));
  CATCH_CHECK(text.find("oops\n50%\r\033[K") != std::string::npos);
  CATCH_CHECK(text.ends_with("done\n"));
}

CATCH_TEST_CASE("say writes the text to stdout as it is", "[log]") {
  CATCH_CHECK(caught(STDOUT_FILENO, [] { log::say("a {} b"); }) == "a {} b\n");
}

CATCH_TEST_CASE("only rank 0 speaks", "[log]") {
  CATCH_CHECK(log::speaks());
  log::start(3);
  CATCH_CHECK_FALSE(log::speaks());
  const std::string text = caught(STDERR_FILENO, [] {
    log::warn("hidden");
    log::error("shown");
  });
  CATCH_CHECK(text.find("hidden") == std::string::npos);
  CATCH_CHECK(text.find("[3] shown\n") != std::string::npos);
  log::start(0);
  log::set_console_level(log::Level::kInfo);
}
