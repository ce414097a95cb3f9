#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dup_filter_sink.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/warnings.h"

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
  std::shared_ptr<spdlog::sinks::dup_filter_sink_mt> console =
      std::make_shared<spdlog::sinks::dup_filter_sink_mt>(std::chrono::minutes(1));
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> early =  // until there is a file
      std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(200);
  std::shared_ptr<spdlog::logger> logger =
      std::make_shared<spdlog::logger>("cellmill", spdlog::sinks_init_list{console, early});
  std::mutex mutex;
  std::string status;
  std::vector<std::string> warnings;

  void erase_status() const {
    if (!status.empty()) std::fputs("\r\033[K", stderr);
  }
  void draw_status() const {
    if (!status.empty()) std::fputs(status.c_str(), stderr);
    std::fflush(stderr);
  }

  State() {
    console->add_sink(std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_level(spdlog::level::debug);
    console->set_level(spdlog::level::info);
    console->set_pattern("%H:%M:%S %^%l%$ %v");
    logger->flush_on(spdlog::level::info);
  }
};

State& state() {
  static State s;
  return s;
}

}  // namespace

void start(int rank) {
  state().console->set_pattern("%H:%M:%S %^%l%$ [" + std::to_string(rank) + "] %v");
  if (rank != 0) state().console->set_level(spdlog::level::err);
}

void also_to(const std::string& path) {
  try {
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    file->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    const std::lock_guard lock(state().mutex);
    auto& sinks = state().logger->sinks();
    if (auto early = std::exchange(state().early, nullptr)) {
      for (const auto& line : early->last_raw()) file->log(line);
      std::erase(sinks, early);
    }
    sinks.push_back(std::move(file));
  } catch (const spdlog::spdlog_ex& e) {
    throw DataError({path, "", "", ""}, std::string("cannot write the log: ") + e.what(), "",
                    Exit::kIo);
  }
}

void set_console_level(Level level) { state().console->set_level(spd(level)); }

bool speaks() { return state().console->should_log(spdlog::level::info); }

void status(std::string_view text) {
  const std::lock_guard lock(state().mutex);
  state().erase_status();
  state().status = text;
  state().draw_status();
}

void write(Level level, std::string_view text) {
  const std::lock_guard lock(state().mutex);
  state().erase_status();
  state().logger->log(spd(level), text);
  state().draw_status();
  constexpr std::size_t kMost = 100;
  if (level == Level::kWarn && state().warnings.size() < kMost) state().warnings.emplace_back(text);
}

std::vector<std::string> take_warnings() {
  const std::lock_guard lock(state().mutex);
  return std::exchange(state().warnings, {});
}

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
