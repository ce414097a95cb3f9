#pragma once
// What is in a checkpoint or a run, without making the model: sizes, vocabulary, figures, and
// whether every digest holds.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/chunk.h"
#include "infer/run_facts.h"

namespace cellmill::infer {

enum class Verify { kShown, kAll };

struct Verdict {
  std::filesystem::path checkpoint;
  std::int64_t step = 0;
  std::string problem;  ///< empty: every digest holds
};

struct Inspection {
  std::filesystem::path checkpoint;
  std::string model;
  std::int64_t step = 0, epoch = 0;
  std::string cell_order;  ///< digest of which cells the steps saw; empty: not recorded
  data::Vocabulary vocabulary;
  std::int64_t parameters = 0;
  std::map<std::string, std::vector<std::int64_t>> shapes;  ///< of the parameters, by name
  std::uintmax_t bytes = 0;                                 ///< of the checkpoint
  std::optional<std::int64_t> best_step;
  std::vector<Verdict> verdicts;               ///< of the one that is shown, or of all of the run
  std::vector<std::string> damage;             ///< of the run's other files, with kAll
  std::map<std::string, LastFigures> figures;  ///< by split; empty for a lone checkpoint
};

/// `where` as in find_checkpoint. Throws DataError if the checkpoint that is to be shown is not
/// valid; other checkpoints' faults are verdicts.
Inspection inspect(const std::filesystem::path& where, Verify verify);

enum class Detail { kShort, kNames };
std::string text_of(const Inspection& inspection, Detail detail);
std::string json_of(const Inspection& inspection);

}  // namespace cellmill::infer
