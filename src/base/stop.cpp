#include "base/stop.h"

#include <csignal>

namespace cellmill {
namespace {
volatile std::sig_atomic_t requested = 0;
void note(int signal) { requested = signal; }
}  // namespace

void install_stop_signals() {
  struct sigaction action {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
  sigset_t waiting;  // from the time before, if the front kept one
  sigemptyset(&waiting);
  sigaddset(&waiting, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &waiting, nullptr);
}

int stop_requested() { return requested; }
void clear_stop_request() { requested = 0; }

}  // namespace cellmill
