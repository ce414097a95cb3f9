#pragma once
// Facts about this process, and the running of others.
#include <string>
#include <vector>

namespace cellmill {

/// Seconds since the process began, also through an exec; to a hundredth. 0 where the system does
/// not say (no /proc).
double process_age();

/// Runs a program that PATH finds, with our input and output, and waits for its end. Its exit code,
/// 128 + the number of the signal that ended it, or kNotFound.
int run_program(const std::vector<std::string>& words);
inline constexpr int kNotFound = 127;

}  // namespace cellmill
