#pragma once
// Where an exception was thrown. Every throw of the process, libtorch's too, passes here first (our
// __cxa_throw stands before libstdc++'s) and leaves its return addresses, of the last throws only.
#include <exception>
#include <vector>

namespace cellmill::comm {

/// Return addresses at the throw, innermost first; empty if too many were thrown since.
std::vector<void*> throw_place(const std::exception_ptr& error);

}  // namespace cellmill::comm
