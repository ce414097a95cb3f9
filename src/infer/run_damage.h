#pragma once
// Whether a run's small files still are what was written: metrics.jsonl, influence.jsonl,
// sessions.jsonl, config.yaml, best.json, event files.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cellmill::infer {

/// How many points a checkpoint knows of, and the last step that they go to.
struct Points {
  std::int64_t count = 0, up_to = 0;
};

/// "FILE: line or bytes: what is wrong" of each damage; empty where all holds. What was written
/// before these files carried digests counts as damaged. Not seen: an event file cut between two
/// records.
std::vector<std::string> damage_of_run(const std::filesystem::path& run,
                                       const std::optional<Points>& points);

}  // namespace cellmill::infer
