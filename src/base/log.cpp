#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "base/error.h"

namespace cellmill::log {
namespace {

spdlog::level::level_enum spd(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  throw InternalError("log level");
}

struct State {
  std::shared_ptr<spdlog::sinks::sink> console =
      std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("cellmill", console);
  State() {
    logger->set_level(spdlog::level::debug);
    console->set_level(spdlog::level::info);
    logger->set_pattern("%H:%M:%S %^%l%$ %v");
    logger->flush_on(spdlog::level::info);
  }
};

State& state() {
  static State s;
  return s;
}

}  // namespace

void start(int rank) {
  state().logger->set_pattern("%H:%M:%S %^%l%$ [" + std::to_string(rank) + "] %v");
  if (rank != 0) state().console->set_level(spdlog::level::err);
}

void also_to(const std::string& path) {
  auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
  file->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  state().logger->sinks().push_back(std::move(file));
}

void set_console_level(Level level) { state().console->set_level(spd(level)); }
void write(Level level, std::string_view text) { state().logger->log(spd(level), text); }
void flush() { state().logger->flush(); }

void last_words(std::string_view text) {
  const auto level = state().console->level();
  state().console->set_level(spdlog::level::off);
  write(Level::kError, text);
  state().console->set_level(level);
  flush();
  const std::string line = std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

}  // namespace cellmill::log
