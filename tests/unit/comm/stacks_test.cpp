#include "comm/stacks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <thread>

#include "comm/failure.h"

namespace cellmill {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

[[gnu::noinline]] void wait_for_news(std::future<void>& news) {
  news.wait();
  asm volatile("");  // no tail call: this function stays on the stack
}

[[gnu::noinline]] void open_what_never_opens(const std::string& fifo) {
  const int file = ::open(fifo.c_str(), O_RDONLY);
  asm volatile("");
  if (file >= 0) ::close(file);
}

[[gnu::noinline]] void fail_here() { throw std::runtime_error("x"); }

}  // namespace
}  // namespace cellmill

using namespace cellmill;

CATCH_TEST_CASE("another thread sees where the main thread stands", "[stacks]") {
  comm::prepare_stacks();
  std::promise<void> done;
  auto news = done.get_future();
  std::string text;
  std::jthread asker([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    text = joined(comm::stacks());
    done.set_value();
  });
  wait_for_news(news);
  asker.join();
  CATCH_CHECK_THAT(text, Catch::Contains("(anonymous namespace)::wait_for_news") &&
                             Catch::Contains("+0x") && Catch::Contains(" in unit_comm") &&
                             Catch::Contains("state S (sleeping)"));
  CATCH_CHECK_THAT(text, !Catch::Contains("note_stack"));
}

CATCH_TEST_CASE("a thread that is blocked in a call is shown, and goes on afterwards", "[stacks]") {
  comm::prepare_stacks();
  const auto fifo =
      std::filesystem::temp_directory_path() / ("cellmill_fifo_" + std::to_string(getpid()));
  CATCH_REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  std::jthread reader([&] { open_what_never_opens(fifo); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  comm::stacks();
  const auto text = joined(comm::stacks());  // it still waits: the signal did not end its call
  const int writer = ::open(fifo.c_str(), O_WRONLY);
  reader.join();
  ::close(writer);
  std::filesystem::remove(fifo);
  CATCH_CHECK_THAT(text, Catch::Matches(R"([^]*\nthread \d+ \(.*\):\n[^]*)") &&
                             Catch::Contains("open_what_never_opens"));
}

CATCH_TEST_CASE("a failure says where it was thrown, also from another thread", "[stacks]") {
  std::exception_ptr error;
  std::jthread([&] {
    try {
      fail_here();
    } catch (...) {
      error = std::current_exception();
    }
  }).join();
  try {
    std::rethrow_exception(error);
  } catch (...) {
    error = std::current_exception();
  }
  const auto failure = comm::describe(error);
  CATCH_CHECK(failure.process == getpid());
  CATCH_REQUIRE(!failure.stack.empty());
  CATCH_CHECK_THAT(failure.stack.front(),
                   Catch::StartsWith("cellmill::(anonymous namespace)::fail_here()"));
}

CATCH_TEST_CASE("a thread that is not there has no state", "[stacks]") {
  CATCH_CHECK(comm::kernel_state(getpid(), 0).empty());
  CATCH_CHECK_THAT(comm::kernel_state(getpid(), getpid()), Catch::StartsWith("state "));
}
