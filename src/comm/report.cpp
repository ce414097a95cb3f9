#include "comm/report.h"

#include <unistd.h>

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "base/log.h"

namespace cellmill::comm {
namespace {

struct Target {
  std::mutex mutex;
  std::string file;
};

Target& target() {
  static Target t;
  return t;
}

std::string file() {
  const std::scoped_lock lock(target().mutex);
  return target().file;
}

}  // namespace

void set_failure_file(const std::string& path) {
  const std::scoped_lock lock(target().mutex);
  target().file = path;
}

void set_failure_folder(const std::string& folder) { set_failure_file(folder + "/failure.json"); }

void report(const Failure& failure) {
  log::last_words(last_words(failure));
  if (const auto path = file(); !path.empty()) write_failure_file(path, failure);
}

void report_without_waiting(const Failure& failure) {
  auto written = std::make_shared<std::promise<void>>(),
       said = std::make_shared<std::promise<void>>();
  auto end_of_writing = written->get_future(), end_of_saying = said->get_future();
  std::thread([=, path = file()] {
    if (!path.empty()) write_failure_file(path, failure);
    written->set_value();
  }).detach();
  std::thread([=] {
    log::last_words(last_words(failure));
    said->set_value();
  }).detach();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  if (end_of_saying.wait_until(until) != std::future_status::ready) {
    const std::string text = last_words(failure) + "\n";
    [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
  }
  end_of_writing.wait_until(until);
}

}  // namespace cellmill::comm
