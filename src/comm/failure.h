#pragma once
// A failure as data: what an exception says, how it crosses ranks, and the failure.json that it
// leaves behind.
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "base/error.h"

namespace cellmill::comm {

struct Failure {
  Exit code = Exit::kInternal;
  std::string message, hint;
  int rank = -1;  ///< where it happened; -1: here
  int size = 1;
  std::string host;
  std::string phase;
  int process = 0;                 ///< of the system
  std::int64_t step = -1;          ///< steps done; -1: none yet
  std::vector<std::string> stack;  ///< innermost first

  std::string encode() const;  ///< never empty; all but rank and size
  static Failure decode(const std::string& text);
};

/// What `error` says. An Error as it is; a torch error by its first line; any other exception by
/// what(); the last two with code 70. With this process, what it does now, and where the exception
/// was thrown; of one that `agree` brought, with those of the rank where it happened.
Failure describe(std::exception_ptr error);

/// "error: message", the hint, and "at rank 1 of 2, host h, while opening data".
std::string last_words(const Failure& failure);

/// Writes the file under a temporary name and links it to its own, unless that is there already:
/// the first failure is the cause. Reports no error: something worse is being reported already.
void write_failure_file(const std::string& path, const Failure& failure) noexcept;

/// The machine's name.
std::string host_name();

}  // namespace cellmill::comm
