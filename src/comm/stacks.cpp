#include "comm/stacks.h"

#include <execinfo.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/format.h"
#include "comm/symbols.h"

namespace cellmill::comm {
namespace {

constexpr int kHandlerFrames = 2;  // the handler itself and the kernel's way back
const std::string kNoStack = "no stack, the thread does not answer: ";
constexpr auto kPatience = std::chrono::milliseconds(250);

std::array<void*, 64> frames;
std::atomic<int> depth = 0;
std::atomic<pid_t> answered = 0;  // the thread whose addresses `frames` holds

void note_stack(int) {
  const int before = errno;
  depth = backtrace(frames.data(), static_cast<int>(frames.size()));
  answered = static_cast<pid_t>(syscall(SYS_gettid));
  errno = before;
}

std::vector<std::string> stack_of(pid_t thread) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  // What is there already was asked from outside, while the process was stopped.
  if (answered != thread && syscall(SYS_tgkill, getpid(), thread, stack_signal()) != 0) return {};
  while (answered != thread && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto state = kernel_state(getpid(), thread);
  if (answered.exchange(0) != thread) return {kNoStack + state};
  const int count = depth;
  const std::vector<void*> noted(frames.begin() + std::min(kHandlerFrames, count),
                                 frames.begin() + count);
  auto names = named(noted);
  names.push_back(state);
  return names;
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// Worth showing beside the main thread: in code of ours, or held by the kernel or a debugger.
bool tells(const std::vector<std::string>& stack) {
  return std::any_of(stack.begin(), stack.end(), [](const std::string& line) {
    return line.find("cellmill::") != std::string::npos ||
           (line.starts_with(kNoStack) && line.find("state S") == std::string::npos);
  });
}

}  // namespace

int stack_signal() { return SIGRTMIN + 5; }

void prepare_stacks() {
  backtrace(frames.data(), 1);  // loads libgcc now, not in the handler
  struct sigaction action {};
  action.sa_handler = note_stack;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(stack_signal(), &action, nullptr);
}

std::string kernel_state(int process, int thread) {
  const std::filesystem::path folder = fmt::format("/proc/{}/task/{}", process, thread);
  std::ifstream status(folder / "status");
  std::string line, state;
  while (std::getline(status, line))
    if (line.starts_with("State:")) state = line.substr(line.find_first_not_of(" \t", 6));
  if (state.empty()) return {};
  const auto place = first_line(folder / "wchan");
  return "state " + state + (place.empty() || place == "0" ? "" : ", in the kernel's " + place);
}

std::vector<std::string> stacks() {
  const auto self = static_cast<pid_t>(syscall(SYS_gettid));
  std::vector<std::string> lines = stack_of(getpid());
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    const pid_t thread = std::atoi(entry.path().filename().c_str());
    if (thread == self || thread == getpid()) continue;
    const auto stack = stack_of(thread);
    if (!tells(stack)) continue;
    lines.push_back(fmt::format("thread {} ({}):", thread, first_line(entry.path() / "comm")));
    lines.insert(lines.end(), stack.begin(), stack.end());
  }
  return lines;
}

}  // namespace cellmill::comm
