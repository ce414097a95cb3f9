#pragma once
// A request to stop. SIGTERM and SIGUSR1 only set a flag; the step loop reads it once a step,
// reduces it over the ranks, and all stop after the same step. Any thread may call these.

namespace cellmill {

/// Installs the handlers of SIGTERM and SIGUSR1, and hears a SIGUSR1 that has been kept waiting
/// since the program's start. Call once, before the first collective.
void install_stop_signals();
/// The number of the signal that asked, or 0.
int stop_requested();
/// Clears the flag (tests).
void clear_stop_request();

}  // namespace cellmill
