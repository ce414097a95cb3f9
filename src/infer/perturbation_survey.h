#pragma once
// Which cells a perturbation job is about: one pass over the data, in windows, before any work.
#include <cstdint>
#include <string>
#include <vector>

#include "infer/cell_sequences.h"
#include "infer/perturbation_plan.h"
#include "infer/result_file.h"

namespace cellmill::infer {

/// Cells of `start` are perturbed; towards `goal`, beside `alternatives`, is the question.
/// Categories of the label `field`; "": cells are compared with themselves alone.
struct StateWords {
  std::string field, start, goal;
  std::vector<std::string> alternatives;
  std::vector<std::string> names() const;  ///< start, goal, alternatives; none without a field
};

struct SurveyOptions {
  std::int64_t max_cells = 0;       ///< to perturb; 0: all that can be
  std::int64_t state_cells = 1000;  ///< of each state, for its mean; 0: all
  StateWords states;
};

struct Survey {
  std::vector<std::int64_t> cells;  ///< to perturb, longest first; places in the data
  std::vector<Column> labels;       ///< of these cells
  std::vector<std::vector<std::int64_t>> members;  ///< of each state, drawn by seed 42, rising
  std::int64_t candidates = 0;                     ///< cells that could be perturbed
  std::vector<std::int64_t> having;                ///< cells that have each of question.genes
};

/// Throws UsageError: a field or category that is not there, states that are not different;
/// DataError: no cell that can be perturbed, a state without cells.
Survey survey(CellSequences& cells, const PerturbationQuestion& question,
              const SurveyOptions& options);

/// The sequences of `places`, in their order.
data::Sequences take(CellSequences& cells, const std::vector<std::int64_t>& places);

}  // namespace cellmill::infer
