#pragma once
// Everything that a run folder tells of a run's course, read whole: curves, influences, starts,
// failure, warnings. What is missing is empty; damaged lines are left out.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/json.h"

namespace cellmill::infer {

using Curve = std::vector<std::pair<double, double>>;  ///< value by step

/// A warning or error of the logs, with the ranks that said it.
struct LoggedLine {
  std::string level, text;
  std::vector<int> ranks;
  std::int64_t count = 0;  ///< times, over all ranks
};

struct HeadNorms {
  double mean = 0, low = 0, high = 0;
};

struct RunHistory {
  std::filesystem::path run;
  std::map<std::string, std::map<std::string, Curve>> curves;  ///< by name, by split
  std::map<std::string, Curve> influences;                     ///< mean norm by head
  std::vector<std::pair<std::string, HeadNorms>> last_influence;
  std::vector<io::Json> sessions;  ///< of sessions.jsonl
  io::Json failure;                ///< of failure.json; null: none
  std::vector<LoggedLine> logged;  ///< in order of the first
  std::string config;
  std::vector<std::pair<std::int64_t, std::uintmax_t>> checkpoints;  ///< step, bytes
};

/// Throws DataError (66) if there is no run.
RunHistory read_history(const std::filesystem::path& run);

}  // namespace cellmill::infer
