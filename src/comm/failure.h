#pragma once
// A failure as data: what an exception says, how it crosses ranks, and the failure.json that it
// leaves behind.
#include <exception>
#include <string>

#include "base/error.h"

namespace cellmill::comm {

struct Failure {
  Exit code = Exit::kInternal;
  std::string message, hint;
  int rank = -1;  ///< where it happened; -1: here
  int size = 1;
  std::string host;
  std::string phase;

  std::string encode() const;  ///< never empty; code, host, message, hint
  static Failure decode(const std::string& text);
};

/// What `error` says. An Error as it is; a torch error by its first line; any other exception by
/// what(); the last two with code 70.
Failure describe(std::exception_ptr error);

/// "error: message", the hint, and "at rank 1 of 2, host h, while opening data".
std::string last_words(const Failure& failure);

/// Writes <folder>/failure.json under a temporary name and renames it. Reports no error: something
/// worse is being reported already.
void write_failure_file(const std::string& folder, const Failure& failure) noexcept;

/// The machine's name.
std::string host_name();

}  // namespace cellmill::comm
