#pragma once
// What was looked at before a run, and what is wrong with it: the lines of `cellmill doctor` and of
// `train --dry-run`.
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "io/json.h"

namespace cellmill::train {

/// Exit code of a machine that is not fit for a run (EX_UNAVAILABLE).
inline constexpr int kNotFit = 69;

struct Finding {
  enum class Level { kGood, kNote, kWarning, kStop };
  Level level = Level::kGood;
  std::string what;    ///< "open files"
  std::string found;   ///< "1024"
  std::string remedy;  ///< what to do, where something is wrong
  int code = kNotFit;  ///< exit code of a kStop
  bool operator==(const Finding&) const = default;
};

class Findings {
 public:
  void good(const std::string& what, const std::string& found) {
    list_.push_back({Finding::Level::kGood, what, found, {}});
  }
  void note(const std::string& what, const std::string& found, const std::string& remedy = {}) {
    list_.push_back({Finding::Level::kNote, what, found, remedy});
  }
  void warning(const std::string& what, const std::string& found, const std::string& remedy) {
    list_.push_back({Finding::Level::kWarning, what, found, remedy});
  }
  void stop(const std::string& what, const std::string& found, const std::string& remedy,
            int code = kNotFit) {
    list_.push_back({Finding::Level::kStop, what, found, remedy, code});
  }
  /// An Error that `look` throws is a kStop with its text, hint and code. Returns whether it went
  /// well.
  bool look(const std::string& what, const std::function<void()>& look);
  void add(const Finding& finding) { list_.push_back(finding); }

  const std::vector<Finding>& list() const { return list_; }
  /// 0, or the code of the first kStop.
  int exit_code() const;

 private:
  std::vector<Finding> list_;
};

/// A line a finding; those that are wrong carry their remedy below.
std::string text_of(const Findings& findings);
io::Json json_of(const Findings& findings);
Findings findings_of(const io::Json& json);

/// Those of several hosts as one list: what several say alike is said once, with how many.
Findings joined(const std::vector<std::pair<std::string, Findings>>& by_host);

}  // namespace cellmill::train
