#pragma once
// Where the threads of this process stand: each is interrupted by a signal whose handler notes its
// return addresses and lets it go on; names are found afterwards, outside the handler. One thread
// may ask at a time.
#include <string>
#include <vector>

namespace cellmill::comm {

/// Installs the handler. Before the first call of `stacks`.
void prepare_stacks();
/// The main thread's stack, innermost first; then, below a line "thread 123 (name):", those of
/// other threads that stand in code of ours. A thread that does not answer within a quarter of a
/// second (a disk that hangs holds it in the kernel) is described by what the kernel says of it.
std::vector<std::string> stacks();
/// "state T (stopped), in do_signal_stop": what the kernel says of a thread; "" if it is not there.
std::string kernel_state(int process, int thread);
/// The signal that `stacks` uses: sent to a stopped process before SIGCONT it keeps the place where
/// that was stopped.
int stack_signal();

}  // namespace cellmill::comm
