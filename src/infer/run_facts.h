#pragma once
// What a run folder says beside its checkpoints: which step is best, and the last figures.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace cellmill::infer {

/// The step that `checkpoints`/best.json marks, if there is one. Throws DataError (65) if it is
/// damaged.
std::optional<std::int64_t> best_step(const std::filesystem::path& checkpoints);

/// The last point of every split in a run's metrics.jsonl.
struct LastFigures {
  std::int64_t step = 0, epoch = 0;
  std::map<std::string, double> values;
};
std::map<std::string, LastFigures> last_figures(const std::filesystem::path& run);

}  // namespace cellmill::infer
