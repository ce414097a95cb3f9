#pragma once
// How cellmill fails. Every error says what, where and with which values; the hint says what to do
// next. The single catch is comm::run_world, which prints `text()` and leaves with `code()`. Throw
// the most specific of the three kinds.
#include <stdexcept>
#include <string>

namespace cellmill {

/// Exit codes of the program (sysexits.h where it has one).
enum class Exit : int {
  kDone = 0,
  kUsage = 64,     ///< command line
  kData = 65,      ///< a file says something it must not
  kNoInput = 66,   ///< a file is not there
  kInternal = 70,  ///< a bug, or a non-finite loss
  kPeerLost = 71,  ///< another rank died
  kHang = 72,      ///< no progress within the limit
  kIo = 74,        ///< the system refused a read or write
  kRequeue = 75,   ///< saved after a signal; please start me again
  kConfig = 78,    ///< run file
};

class Error : public std::runtime_error {
 public:
  Error(Exit code, const std::string& what, std::string hint = {})
      : std::runtime_error(what), code_(code), hint_(std::move(hint)) {}
  Exit code() const { return code_; }
  const std::string& hint() const { return hint_; }
  /// "what" and, on a line of its own, "hint: ...".
  std::string text() const;

 private:
  Exit code_;
  std::string hint_;
};

/// The user asked for something that cannot be: command line (64) or run file (78).
struct UsageError : Error {
  explicit UsageError(const std::string& what, std::string hint = {}, Exit code = Exit::kUsage)
      : Error(code, what, std::move(hint)) {}
};

/// A file is wrong (65), missing (66) or cannot be read or written (74). `where` is a place inside
/// the file: "row 12, column 7", "member indptr.npy", "byte 4096"; it may be empty, as may
/// `expected` and `found`.
struct DataError : Error {
  struct Place {
    std::string file, where, expected, found;
  };
  DataError(const Place& place, const std::string& what, std::string hint = {},
            Exit code = Exit::kData);
};

/// cellmill itself is wrong.
struct InternalError : Error {
  explicit InternalError(const std::string& what)
      : Error(Exit::kInternal, what, "this is a bug in cellmill: please report it") {}
};

}  // namespace cellmill
