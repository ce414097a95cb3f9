#pragma once
// What this process has warned of, so that rank 0 can say the warnings of all ranks. (A line
// that comes again and again within a minute is on the console once, with a count: base/log.cpp.)
#include <string>
#include <vector>

namespace cellmill::log {

/// The warnings since the last call, the first hundred of them. Any thread.
std::vector<std::string> take_warnings();

}  // namespace cellmill::log
