// `cellmill` itself: answers what needs no library, and otherwise becomes the program beside it
// that fits this machine: cellmill-cuda where it was built and a GPU's driver is loaded, else
// cellmill-cpu; `serve` has such a pair of its own, cellmill-serve-*. Loading libtorch takes 0.3 s,
// and its CUDA part with cuBLAS and cuDNN as much again: only those pay that need it.
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "front/overview.h"

namespace {

namespace fs = std::filesystem;

bool gpu_driver_is_loaded() {
  for (const char* sign :
       {"/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia/version", "/dev/dxg"})
    if (access(sign, F_OK) == 0) return true;
  return false;
}

/// Ranks do not speak for themselves: rank 0 does, and only the whole program knows who that is.
bool one_of_many() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"})
    if (std::getenv(name)) return true;
  return false;
}

/// Until training or serving listens (install_stop_signals), half a second and more, USR1 would
/// kill.
void keep_stop_signal_waiting() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  if (!one_of_many()) {
    const std::string answer = cellmill::front::answer(argc > 1 ? argv[1] : "");
    if (!answer.empty()) {
      std::fwrite((answer + "\n").data(), 1, answer.size() + 1, stdout);
      return std::fflush(stdout) == 0 ? 0 : 74;
    }
  }
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  const std::string first = argc > 1 ? argv[1] : "";
  const std::string name = first == "serve" ? "cellmill-serve" : "cellmill";
  fs::path program = here / (name + "-cuda");
  if (access(program.c_str(), X_OK) != 0 || !gpu_driver_is_loaded())
    program = here / (name + "-cpu");
  if (first == "train" || first == "serve") keep_stop_signal_waiting();
  execv(program.c_str(), argv);
  const std::string words = "error: " + program.string() +
                            ": cannot start: " + std::strerror(errno) +
                            "\n  hint: it belongs beside cellmill\n";
  std::fwrite(words.data(), 1, words.size(), stderr);
  return 70;
}
