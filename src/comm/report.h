#pragma once
// Where a failure goes: the console of one rank, its log, and failure.json. Any thread.
#include <string>

#include "comm/failure.h"

namespace cellmill::comm {

/// The file that a failure is written to from now on; "" for none (so it begins). Its folder is
/// made if need be.
void set_failure_file(const std::string& path);
/// <folder>/failure.json.
void set_failure_folder(const std::string& folder);
/// Prints and writes it.
void report(const Failure& failure);
/// The same within five seconds, for a process that ends whether or not its disks answer: what they
/// keep waiting is left behind.
void report_without_waiting(const Failure& failure);

}  // namespace cellmill::comm
