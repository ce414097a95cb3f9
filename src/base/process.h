#pragma once
// Facts about this process.
namespace cellmill {

/// Seconds since the process began, also through an exec; to a hundredth. 0 where the system does
/// not say (no /proc).
double process_age();

}  // namespace cellmill
